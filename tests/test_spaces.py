"""A space is read whole or refused with the file, the key and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from spaces.draw import TARGETS, Draw, Objective
from spaces.errors import InputError
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


def test_the_guide_space_is_the_guides_own() -> None:
    space = load_space("alexandria")
    assert space.objectives == (Objective.GUIDE,)
    band = space.band(Objective.GUIDE)
    assert (band.low, band.high) == (4.1, 4.2)
    drawn = space.to_draw({name: domain.ends()[0] for name, domain in space.draw.items()})
    assert drawn.text_projection_lr == 0 and drawn.target_pattern == TARGETS["guide"]


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
        ('name = "mine"', 'name = "mine"\nfamily = "kokro"', "expected one of qwen3_tts, got 'kokro'"),
    ],
)
def test_a_spoiled_space_is_explained(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in MINE
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as caught:
        load_space(str(path))
    assert str(path) in str(caught.value)


def test_a_band_the_wrong_way_round_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    lines = ["band = [5, 4]" if line.startswith("band = ") else line for line in MINE.splitlines()]
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match="0 < low < high, got low 5.0 and high 4.0"):
        load_space(str(path))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="alexandria, demo, voice"):
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
def test_alpha_is_whole(rank: int, ratio: float, alpha: int) -> None:
    assert Draw(**{**RECIPE, "rank": rank, "alpha_ratio": ratio}).alpha == alpha


@pytest.mark.parametrize(
    "change",
    [{"rank": 0}, {"epochs": 0}, {"lora_lr": 0}, {"dropout": 1}, {"text_projection_lr": -1e-6}, {"rnak": 4}],
)
def test_an_impossible_draw_is_refused(change: dict) -> None:
    with pytest.raises(ValidationError):
        Draw(**{**RECIPE, **change})
