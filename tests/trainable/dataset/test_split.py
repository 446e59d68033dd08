"""Which clips are held out."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.data_settings import AugmentationSettings, DataSettings
from spaces.errors import InputError
from trainable.dataset.clip import Clip, ClipMeasures, Speaker, VoiceDataset
from trainable.dataset.encoding_plan import EncodingPlan, plan_encoding
from trainable.dataset.split import Role, assign_roles, held_out_count, normalise, text_key

PLAIN = DataSettings()


def clip(text: str, seconds: float = 3.0, recording: str = "", **fields) -> Clip:
    """A clip that nobody reads. Clips of one text are different recordings where `recording` says so."""
    measures = ClipMeasures(
        sha256=hashlib.sha256(f"{text}/{recording}".encode()).hexdigest(),
        rate=24_000,
        channels=1,
        seconds=seconds,
        rms_dbfs=-20.0,
        clipped_share=0.0,
        dc=0.0,
        speech_share=0.9,
        noise_dbfs=-60.0,
        longest_pause=0.2,
        bandwidth=8000.0,
    )
    return Clip(Path("nowhere.wav"), text, measures, "metadata.jsonl:1", **fields)


def clips(count: int, **fields) -> list[Clip]:
    return [clip(f"line {number}", seconds=1.0 + number % 13, **fields) for number in range(count)]


def places(roles: list[Role], role: Role) -> list[int]:
    return [place for place, each in enumerate(roles) if each is role]


@pytest.mark.parametrize(
    ("count", "held_out"),
    [(1, 0), (9, 0), (10, 2), (12, 2), (30, 3), (60, 6), (150, 15), (400, 40), (1000, 40), (5000, 40)],
)
def test_how_many_are_held_out(count: int, held_out: int) -> None:
    roles = assign_roles(clips(count), PLAIN, 0)
    assert roles.count(Role.HELD_OUT) == held_out
    assert roles.count(Role.TRAINING) == count - held_out


@given(st.integers(1, 2000))
def test_about_a_tenth_of_the_texts_is_asked_for(texts: int) -> None:
    count = held_out_count(texts)
    assert count == 0 if texts < 10 else count == 2 or abs(count - texts / 10) <= 0.5


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Yes.", "yes", True),
        ("Well, no!", "well no", True),
        ("it  is\tso", "It is so?", True),
        ("Straße", "STRASSE", True),
        ("café", "cafe\u0301", True),
        ("ﬁne", "fine", True),
        ("cafe", "café", False),
        ("no", "know", False),
        ("1 2", "12", False),
        ("हिंदी", "हिदी", False),
    ],
)
def test_what_counts_as_the_same_text(one: str, other: str, same: bool) -> None:
    assert (normalise(one) == normalise(other)) is same


@given(
    st.lists(st.sampled_from(["one", "One.", "two", "TWO!", "three", "...", "!?", "four", "five"]), min_size=1),
    st.integers(10, 30),
    st.integers(0, 5),
    st.integers(0, 50),
)
def test_no_text_is_on_two_sides(texts: list[str], others: int, most: int, seed: int) -> None:
    given_clips = [clip(text, recording=str(number)) for number, text in enumerate(texts)] + clips(others)
    roles = assign_roles(given_clips, DataSettings(max_validation_clips=most), seed)
    sides: dict[str, set[Role]] = {}
    for each, role in zip(given_clips, roles, strict=True):
        sides.setdefault(text_key(each.text), set()).add(role)
    assert all(len(side) == 1 for side in sides.values())
    assert roles.count(Role.HELD_OUT) <= most


def test_texts_that_are_recorded_often_do_not_empty_the_training() -> None:
    often = [clip(f"line {number % 10}", recording=str(number)) for number in range(60)]
    assert assign_roles(often, PLAIN, 0).count(Role.HELD_OUT) == 12
    assert assign_roles(often[:9] * 10, PLAIN, 0).count(Role.HELD_OUT) == 0


@given(st.integers(5, 80), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_the_clips_decides_nothing(count: int, seed: int, chance: random.Random) -> None:
    mixed = [*clips(count), *[clip(f"Line {number}!", 2.0, "again") for number in range(0, count, 3)]]
    mixed += [clip("...", 1.0), clip("?!", 1.0)]
    settings = DataSettings(max_training_clips=count // 2, max_validation_clips=4)
    shuffled = chance.sample(mixed, len(mixed))

    def by_recording(of: list[Clip]) -> dict[str, Role]:
        return {each.measures.sha256: role for each, role in zip(of, assign_roles(of, settings, seed), strict=True)}

    assert by_recording(mixed) == by_recording(shuffled)


def test_each_seed_draws_its_own() -> None:
    drawn = {tuple(places(assign_roles(clips(30), PLAIN, seed), Role.HELD_OUT)) for seed in range(20)}
    assert len(drawn) > 15
    assert assign_roles(clips(30), PLAIN, 7) == assign_roles(clips(30), PLAIN, 7)


@pytest.mark.parametrize("seed", range(5))
def test_the_held_out_are_as_long_and_as_short_as_the_rest(seed: int) -> None:
    """One of each run of the texts sorted by length."""
    skewed = [clip(f"line {number}", seconds=1.02**number) for number in range(120)]
    held = sorted(places(assign_roles(skewed, PLAIN, seed), Role.HELD_OUT))
    assert [place // 10 for place in held] == list(range(12))


def test_a_cap_on_validation_leaves_the_others_to_train_on() -> None:
    roles = assign_roles(clips(100), DataSettings(max_validation_clips=3), 0)
    assert (roles.count(Role.HELD_OUT), roles.count(Role.TRAINING)) == (3, 97)
    assert Role.HELD_OUT not in assign_roles(clips(100), DataSettings(max_validation_clips=0), 0)


@pytest.mark.parametrize("most", [1, 20, 90, 500])
def test_a_cap_on_training_leaves_the_others_unused(most: int) -> None:
    roles = assign_roles(clips(100), DataSettings(max_training_clips=most), 0)
    assert roles.count(Role.TRAINING) == min(most, 90)
    assert roles.count(Role.SPARE) == 90 - min(most, 90)
    assert places(roles, Role.HELD_OUT) == places(assign_roles(clips(100), PLAIN, 0), Role.HELD_OUT)


def test_what_a_source_holds_out_is_all_that_is_held_out_of_it() -> None:
    own = [*clips(50), *[clip(f"kept {number}", held_out=True) for number in range(4)]]
    assert places(assign_roles(own, PLAIN, 0), Role.HELD_OUT) == [50, 51, 52, 53]


def test_another_source_has_its_own_drawn() -> None:
    own = [*clips(20), clip("kept", held_out=True), *[clip(f"other {number}", source=1) for number in range(30)]]
    held = places(assign_roles(own, PLAIN, 0), Role.HELD_OUT)
    assert held[0] == 20 and len(held) == 1 + 3 and min(held[1:]) > 20


def test_of_what_a_source_holds_out_no_more_than_the_cap_counts_and_none_is_trained_on() -> None:
    own = [*clips(20), *[clip(f"kept {number}", held_out=True) for number in range(8)], *clips(30, source=1)]
    roles = assign_roles(own, DataSettings(max_validation_clips=5), 0)
    assert sorted(roles[20:28]) == [Role.HELD_OUT] * 5 + [Role.SPARE] * 3
    assert roles.count(Role.TRAINING) == 50


def test_a_text_that_is_held_out_is_held_out_everywhere() -> None:
    own = [*clips(20), clip("Line 4.", recording="again", held_out=True), clip("LINE 4", source=1), clip("x", source=1)]
    assert places(assign_roles(own, PLAIN, 0), Role.HELD_OUT) == [4, 20, 21]


def test_a_text_shared_with_a_source_that_divides_itself_is_not_drawn() -> None:
    own = [*clips(30), clip("kept", held_out=True), *clips(30, source=1)]
    for seed in range(10):
        assert places(assign_roles(own, PLAIN, seed), Role.HELD_OUT) == [30]


@pytest.mark.parametrize(
    "own", [[], [clip("a", held_out=True)], [clip("a"), clip("b"), clip("A!", held_out=True), clip("b", held_out=True)]]
)
def test_nothing_to_train_on_is_refused(own: list[Clip]) -> None:
    with pytest.raises(InputError, match=f"expected clips to train on, got {len(own)} .*move some out of val/"):
        assign_roles(own, PLAIN, 0)


def dataset(own: list[Clip], weights: tuple[float, ...] = (1.0,)) -> VoiceDataset:
    speakers = {(each.source, each.speaker): None for each in own}
    return VoiceDataset(
        names=tuple(f"source {number}" for number in range(len(weights))),
        weights=weights,
        clips=tuple(own),
        speakers=tuple(Speaker(name, source, clip(f"reference {source} {name}")) for source, name in speakers),
    )


def augmented(seed: int = 0, **changes) -> EncodingPlan:
    return plan_encoding(dataset(clips(20)), DataSettings(augment=AugmentationSettings(**changes)), seed)


def test_a_plan_has_every_clip_in_its_place() -> None:
    own = [*clips(12), *[clip(f"other {number}", source=1, speaker="b") for number in range(3)], clip("c", source=1)]
    plan = plan_encoding(dataset(own, weights=(1.0, 0.5)), PLAIN, 0)
    assert [item.clip for item in plan.items] == own and not any(item.augmentation for item in plan.items)
    entries = plan.split.entries
    assert [(entry.text, entry.seconds, entry.source) for entry in entries] == [
        (each.text, each.seconds, each.source) for each in own
    ]
    assert [entry.role for entry in entries] == assign_roles(own, PLAIN, 0)
    assert [entry.speaker for entry in entries] == [0] * 12 + [1] * 3 + [2]
    assert plan.split.weights == (1.0, 0.5) and plan.split.speakers == ("", "b", "")
    assert [each.text for each in plan.references] == ["reference 0 ", "reference 1 b", "reference 1 "]


def test_training_clips_alone_have_copies_and_these_lie_behind() -> None:
    plan = augmented(copies=3)
    split = plan.split
    assert len(plan.items) == len(split.entries) == 20 + 18 * 3
    for place in range(20):
        entry = split.entries[place]
        assert len(entry.copies) == (3 if entry.role is Role.TRAINING else 0)
        for copy in entry.copies:
            assert split.entries[copy].role is Role.COPY and copy >= 20
            assert plan.items[copy].clip == plan.items[place].clip
            assert split.entries[copy].text == entry.text
            assert split.entries[copy].seconds == pytest.approx(entry.seconds / plan.items[copy].augmentation.speed)
    assert len({item.key for item in plan.items}) == len(plan.items)


def test_copies_change_within_what_was_asked_for() -> None:
    asked = {"speed": (0.9, 1.1), "semitones": (-2.0, 1.0), "gain_db": (-3.0, 0.0), "snr_db": (30.0, 40.0)}
    changes = [item.augmentation for item in augmented(**asked).items if item.augmentation]
    for name, (low, high) in asked.items():
        values = [getattr(change, name) for change in changes]
        assert low <= min(values) < max(values) <= high
    assert all(item.augmentation.snr_db is None for item in augmented().items if item.augmentation)


def test_copies_depend_on_seed_and_recording_alone() -> None:
    shorter = plan_encoding(dataset(clips(20)[10:] + clips(20)[:9]), DataSettings(augment=AugmentationSettings()), 0)
    keys = {item.key for item in augmented().items}
    same = [item.key in keys for item in shorter.items if item.augmentation]
    assert same.count(True) >= 25, "expected the same copies of whoever trains in both"
    assert not {item.key for item in augmented(seed=1).items if item.augmentation} & keys


@pytest.mark.parametrize("what", ["text", "audio", "weight", "reference", "role", "seed of copies"])
def test_a_fingerprint_tells_plans_apart(what: str) -> None:
    own, settings = clips(20), DataSettings(augment=AugmentationSettings())
    base = dataset(own)
    other = {
        "text": (dataset([replace(own[0], text="else"), *own[1:]]), settings, 0),
        "audio": (dataset([clip("line 0", 1.0, "again"), *own[1:]]), settings, 0),
        "weight": (dataset(own, (0.5,)), settings, 0),
        "reference": (replace(base, speakers=(Speaker("", 0, clip("another")),)), settings, 0),
        "role": (base, settings.model_copy(update={"max_training_clips": 10}), 0),
        "seed of copies": (base, settings, 1),
    }[what]
    assert plan_encoding(base, settings, 0).fingerprint() == plan_encoding(base, settings, 0).fingerprint()
    assert plan_encoding(base, settings, 0).fingerprint() != plan_encoding(*other).fingerprint()
