"""Spaces are read, or refused with the file, the key and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from spaces.draw import Curriculum, Schedule
from spaces.errors import InputError
from spaces.qwen3_tts import TARGETS, Objective, QwenDraw
from spaces.space import FOLDER, Space, load_space

MINE = """
name = "mine"
about = "a space for these tests"
model = "../demo/checkpoint"

[draw]
objective = "aligned"
rank = [4, 8, 16, 32]
alpha_ratio = [1, 2]
lora_lr = { low = 3e-4, high = 5e-2, log = true }
text_projection_lr = 0
epochs = { low = 4, high = 12 }

[objective.aligned]
band = [1.5, 3.0]
targets = "linear"

[budget]
trials = 6

[probe]
lines = "digits"
"""


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.toml")))
def test_every_shipped_space_loads_and_reads_back_from_its_own_dump(name: str) -> None:
    space = load_space(name)
    assert space.name == name
    assert Space.model_validate(space.model_dump(mode="json")) == space


def test_the_guide_space_has_the_guides_recipe() -> None:
    space = load_space("alexandria")
    assert space.objectives == (Objective.GUIDE,)
    band = space.band(Objective.GUIDE)
    assert (band.low, band.high) == (4.1, 4.2)
    drawn = space.to_draw({name: domain.boundary_values()[0] for name, domain in space.draw.items()})
    assert drawn.text_projection_lr == 0 and drawn.target_pattern == TARGETS["guide"]


def test_a_draw_describes_what_differs_from_defaults() -> None:
    plain = load_space("alexandria").to_draw(
        {name: domain.boundary_values()[0] for name, domain in load_space("alexandria").draw.items()}
    )
    assert plain.describe() == "guide r32 α/r 1 lr 1.0e-06 tp 0.0e+00 ≤3 epochs"
    other = plain.model_copy(update={"schedule": "cosine", "sub_frames": 0.5, "dropout": 0.3})
    assert other.describe() == plain.describe() + ", schedule cosine, sub frames 0.5"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rank =", "rnk =", r"unknown key draw\.rnk; did you mean rank\?"),
        ("lora_lr = { low", "lora_lr = { lo = 1, low", r"unknown key draw\.lora_lr\.lo; did you mean low\?"),
        ("band = [", "bnad = [1, 2]\nband = [", r"unknown key objective\.aligned\.bnad; did you mean band\?"),
        ("trials =", "trails = 3\ntrials =", r"unknown key budget\.trails; did you mean trials\?"),
        ('name = "mine"', "", "name is missing"),
        ("[budget]\ntrials", "[budget]\naccept", r"budget\.trials is missing"),
        ("rank = [4", "rank = [0", "rank.*greater than or equal to 1, got 0"),
        ("rank = [4, 8, 16, 32]", "rank = []", "at least one value"),
        ("rank = [4, 8, 16, 32]", "rank = [4, 4]", "different values"),
        ("low = 3e-4", "low = 5e-1", "low < high"),
        ("low = 3e-4", "low = 0", "low > 0"),
        ("low = 3e-4, high = 5e-2", "low = 1.5, high = 2", "lora_lr.*less than or equal to 1, got 1.5"),
        ('objective = "aligned"', 'objective = "guide"', r"needs a section \[objective\.guide\]"),
        ('objective = "aligned"', 'objective = "loss"', "expected guide or aligned, got 'loss'"),
        ('targets = "linear"', 'targets = "(["', "regular expression"),
        ("epochs = { low = ", "epochs_max = 3\nepochs = { low = ", r"unknown key draw\.epochs_max"),
        ("[draw]", "[draw", "not valid TOML"),
        ('name = "mine"', 'name = "mine"\nfamily = "kokro"', "expected one of qwen3_tts.*, got 'kokro'"),
    ],
)
def test_errors_in_a_space_are_explained(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in MINE
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as caught:
        load_space(str(path))
    assert str(path) in str(caught.value)


def test_a_reversed_band_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    lines = ["band = [5, 4]" if line.startswith("band = ") else line for line in MINE.splitlines()]
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match="0 < low < high, got low 5.0 and high 4.0"):
        load_space(str(path))


@pytest.mark.parametrize(
    ("written", "low", "high", "aim", "is_auto"),
    [
        ("[1.5, 3.0]", 1.5, 3.0, (2.25, 3.0), False),
        ("{ low = 1.5, high = 3 }", 1.5, 3.0, (2.25, 3.0), False),
        ("{ low = 1.5, high = 3.0, aim = [2.5, 2.8] }", 1.5, 3.0, (2.5, 2.8), False),
        ("{ auto_within = [1.5, 3.0] }", 1.5, 3.0, (2.25, 3.0), True),
        ("{ auto_within = { low = 1.5, high = 3.0, aim = [2, 3] } }", 1.5, 3.0, (2.0, 3.0), True),
        ("{ of_base = [0.5, 0.9] }", 1.0, 1.8, (1.4, 1.8), True),
        ("{ of_base = { low = 0.5, high = 1, aim = [0.6, 0.7] } }", 1.0, 2.0, (1.2, 1.4), True),
        # Where the base model's loss of 2 lies above the band, within it, at its upper end and below it.
        ("{ low = 1.5, high = 1.9, or_of_base = [0.5, 0.9] }", 1.5, 1.9, (1.7, 1.9), False),
        ("{ low = 1.5, high = 1.9, aim = [1.5, 1.6], or_of_base = [0.5, 0.9] }", 1.5, 1.9, (1.5, 1.6), False),
        ("{ low = 1.5, high = 2.5, or_of_base = [0.5, 0.9] }", 1.0, 1.8, (1.4, 1.8), True),
        ("{ low = 1.5, high = 2.0, or_of_base = [0.5, 0.9] }", 1.0, 1.8, (1.4, 1.8), True),
        ("{ low = 4.1, high = 4.2, or_of_base = [0.5, 0.9] }", 1.0, 1.8, (1.4, 1.8), True),
    ],
)
def test_a_band_may_be_written_in_several_forms(
    tmp_path: Path, written: str, low: float, high: float, aim: tuple[float, float], is_auto: bool
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace("band = [1.5, 3.0]", f"band = {written}"))
    space = load_space(str(path)).with_base({Objective.ALIGNED: 2.0})
    band = space.band(Objective.ALIGNED)
    assert (band.low, band.high, *band.aim) == pytest.approx((low, high, *aim))
    assert space.is_auto(Objective.ALIGNED) is is_auto
    assert space.with_base({Objective.ALIGNED: 1.0}) == space, "once the band is in nats, it stays"
    for each in (space, load_space(str(path))):
        assert Space.model_validate(each.model_dump(mode="json")) == each


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('"auto"', r"objective\.aligned\.band: expected \[low, high\].*auto_within = \[low, high\].*got 'auto'"),
        ("4.15", r"objective\.aligned\.band: expected \[low, high\].*got 4.15"),
        ("[4.1]", r"objective\.aligned\.band: expected two losses, \[low, high\], got \[4.1\]"),
        ("[4.1, 4.15, 4.2]", r"expected two losses, \[low, high\], got"),
        ('["a", "b"]', r"objective\.aligned\.band\.low: .*number"),
        ("{ low = 4.1 }", r"objective\.aligned\.band\.high is missing"),
        (
            "{ low = 4.1, high = 4.2, aims = [4.1, 4.2] }",
            r"unknown key objective\.aligned\.band\.aims; did you mean aim\?",
        ),
        (
            "{ low = 4.1, high = 4.2, aim = [4.0, 4.2] }",
            r"band: expected an aim \[from, to\] within 4\.1–4\.2, got \[4\.0, 4\.2\]",
        ),
        ("{ low = 4.1, high = 4.2, aim = 4.15 }", r"objective\.aligned\.band\.aim: .*got 4.15"),
        ("{ auto_within = [7.9, 4.5] }", r"objective\.aligned\.band\.auto_within: expected 0 < low < high"),
        ("{ auto_within = true }", r"objective\.aligned\.band\.auto_within: .*got True"),
        (
            "{ of_base = [0.6, 1.2] }",
            r"band\.of_base: expected shares of the base model's loss, at most 1, got 0\.6–1\.2",
        ),
        ("{ of_base = [0.97, 0.6] }", r"objective\.aligned\.band\.of_base: expected 0 < low < high"),
        ("{ low = 4.1, or_of_base = [0.6, 0.9] }", r"objective\.aligned\.band\.high is missing"),
        ("{ of_bass = [0.6, 0.9] }", r"unknown key objective\.aligned\.band\.of_bass; did you mean of_base\?"),
        (
            "{ auto_whithin = [4, 5] }",
            r"unknown key objective\.aligned\.band\.auto_whithin; did you mean auto_within\?",
        ),
    ],
)
def test_an_invalid_band_is_explained(tmp_path: Path, written: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace("band = [1.5, 3.0]", f"band = {written}"))
    with pytest.raises(InputError, match=message) as caught:
        load_space(str(path))
    assert str(path) in str(caught.value)


def test_an_objective_may_have_no_band(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace("[1.5, 3.0]", '"none"'))
    space = load_space(str(path))
    assert space.band("aligned") is None and not space.is_auto("aligned")
    assert Space.model_validate(space.model_dump(mode="json")) == space


def test_the_aligned_band_is_auto_and_the_guides_is_fixed() -> None:
    assert all(load_space(name).is_auto(Objective.ALIGNED) for name in ("voice", "language"))
    assert not load_space("voice").is_auto(Objective.GUIDE)
    assert not load_space("demo").is_auto(Objective.ALIGNED)
    assert load_space("alexandria").band(Objective.GUIDE).aim == (4.15, 4.2)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="alexandria, demo, language, voice"):
        load_space("nothing")


def test_a_model_beside_the_space_is_found_from_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace("../demo/checkpoint", "./checkpoint"))
    assert load_space(str(path)).model == str(tmp_path / "checkpoint")


RECIPE = {
    "objective": "aligned",
    "rank": 16,
    "alpha_ratio": 0.5,
    "lora_lr": 1e-4,
    "text_projection_lr": 0,
    "epochs": 3,
    "targets": "attention",
}


@pytest.mark.parametrize(("rank", "ratio", "alpha"), [(16, 2, 32), (16, 0.5, 8), (1, 0.1, 1), (3, 0.5, 2)])
def test_alpha_is_an_integer(rank: int, ratio: float, alpha: int) -> None:
    assert QwenDraw(**{**RECIPE, "rank": rank, "alpha_ratio": ratio}).alpha == alpha


@pytest.mark.parametrize(
    "change",
    [{"rank": 0}, {"epochs": 0}, {"lora_lr": 0}, {"dropout": 1}, {"text_projection_lr": -1e-6}, {"rnak": 4}],
)
def test_an_impossible_draw_is_refused(change: dict) -> None:
    with pytest.raises(ValidationError):
        QwenDraw(**{**RECIPE, **change})


AUGMENT = "\n[data.augment]\ncopies = 3\nspeed = [0.95, 1.05]\n"


@pytest.mark.parametrize("taken", ["0.5", "[0, 0.5]", "{ low = 0.0, high = 1.0 }"])
def test_augmented_copies_are_made_where_a_draw_uses_them(tmp_path: Path, taken: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace("[draw]", f"[draw]\naugmented = {taken}") + AUGMENT)
    augment = load_space(str(path)).data.augment
    assert augment is not None and augment.copies == 3 and augment.speed == (0.95, 1.05)


@pytest.mark.parametrize(
    ("draw", "data", "message"),
    [
        ("augmented = 0.5", "", r"draw\.augmented needs augmented copies of clips: add a section \[data\.augment\]"),
        ("augmented = [0, 0.1]", "\n[data]\nmax_training_clips = 9\n", r"add a section \[data\.augment\]"),
        ("", AUGMENT, r"\[data\.augment\] makes copies that no draw uses: add draw\.augmented"),
        ("augmented = 0.0", AUGMENT, "makes copies that no draw uses"),
        ("augmented = 1.5", AUGMENT, "augmented.*less than or equal to 1, got 1.5"),
        ("augmented = 0.5", AUGMENT.replace("copies", "copeis"), r"data\.augment\.copeis; did you mean copies\?"),
        ("augmented = 0.5", AUGMENT.replace("0.95, 1.05", "1.1, 0.9"), r"data\.augment\.speed: expected low ≤ high"),
        ("augmented = 0.5", AUGMENT.replace("0.95, 1.05", "0.1, 1"), "both within 0.5 to 2.0, got"),
        ("", "\n[data]\nmax_training_clips = 0\n", r"data\.max_training_clips: .*greater than or equal to 1, got 0"),
        ("", "\n[data]\nmax_clips = 5\n", r"unknown key data\.max_clips; did you mean max_training_clips\?"),
        ('schedule = "linear"', "", "schedule.*'constant' or 'cosine', got 'linear'"),
        ('curriculum = ["none", "lenght"]', "", "curriculum.*'none', 'length' or 'source', got 'lenght'"),
        ("lr_floor = 2", "", "lr_floor.*less than or equal to 1, got 2"),
        ("lr_cycles = [0, 2]", "", "lr_cycles.*greater than or equal to 1, got 0"),
        ("sub_frames = 0", "", "sub_frames.*greater than 0, got 0"),
    ],
)
def test_data_schedule_and_augmentation_are_checked(tmp_path: Path, draw: str, data: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace("[draw]", f"[draw]\n{draw}") + data)
    with pytest.raises(InputError, match=message):
        load_space(str(path))


def test_schedule_and_curriculum_may_be_searched(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    searched = 'schedule = ["constant", "cosine"]\ncurriculum = ["none", "length", "source"]\nlr_cycles = [1, 3]'
    path.write_text(MINE.replace("[draw]", f"[draw]\n{searched}"))
    space = load_space(str(path))
    assert Space.model_validate(space.model_dump(mode="json")) == space
    middle = {name: domain.boundary_values()[-1] for name, domain in space.draw.items()}
    drawn = space.to_draw(middle)
    assert (drawn.schedule, drawn.curriculum, drawn.lr_cycles) == (Schedule.COSINE, Curriculum.SOURCE, 3)
