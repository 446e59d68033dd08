"""The roles of clips, and the split that holds them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.data_settings import DataSettings
from spaces.errors import InputError
from tests.support.measured_clips import numbered_clips, text_clip
from trainable.dataset.clip import Clip
from trainable.dataset.split import (
    CALIBRATION_CLIPS,
    ClipEntry,
    DatasetSplit,
    Role,
    assign_roles,
    held_out_count,
    normalise,
    text_key,
)

PLAIN = DataSettings()


def indices(roles: list[Role], role: Role) -> list[int]:
    return [index for index, each in enumerate(roles) if each is role]


@pytest.mark.parametrize(
    ("count", "held_out"),
    [(1, 0), (9, 0), (10, 2), (12, 2), (30, 3), (60, 6), (150, 15), (400, 40), (1000, 40), (5000, 40)],
)
def test_a_tenth_is_held_out_within_the_cap(count: int, held_out: int) -> None:
    roles = assign_roles(numbered_clips(count), PLAIN, 0)
    assert roles.count(Role.HELD_OUT) == held_out
    assert roles.count(Role.TRAINING) == count - held_out


@given(st.integers(1, 2000))
def test_held_out_count_is_about_a_tenth(texts: int) -> None:
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
def test_normalise_ignores_case_punctuation_and_spaces(one: str, other: str, same: bool) -> None:
    assert (normalise(one) == normalise(other)) is same


@given(
    st.lists(st.sampled_from(["one", "One.", "two", "TWO!", "three", "...", "!?", "four", "five"]), min_size=1),
    st.integers(10, 30),
    st.integers(0, 5),
    st.integers(0, 50),
)
def test_no_text_is_both_trained_on_and_held_out(texts: list[str], others: int, most: int, seed: int) -> None:
    given_clips = [text_clip(text, recording=str(number)) for number, text in enumerate(texts)] + numbered_clips(others)
    roles = assign_roles(given_clips, DataSettings(max_validation_clips=most), seed)
    sides: dict[str, set[Role]] = {}
    for each, role in zip(given_clips, roles, strict=True):
        sides.setdefault(text_key(each.text), set()).add(role)
    assert all(len(side) == 1 for side in sides.values())
    assert roles.count(Role.HELD_OUT) <= most


def test_repeated_texts_leave_clips_to_train_on() -> None:
    often = [text_clip(f"line {number % 10}", recording=str(number)) for number in range(60)]
    assert assign_roles(often, PLAIN, 0).count(Role.HELD_OUT) == 12
    assert assign_roles(often[:9] * 10, PLAIN, 0).count(Role.HELD_OUT) == 0


@given(st.integers(5, 80), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_roles_do_not_depend_on_the_order_of_the_clips(count: int, seed: int, chance: random.Random) -> None:
    mixed = [*numbered_clips(count), *[text_clip(f"Line {number}!", 2.0, "again") for number in range(0, count, 3)]]
    mixed += [text_clip("...", 1.0), text_clip("?!", 1.0)]
    settings = DataSettings(max_training_clips=count // 2, max_validation_clips=4)
    shuffled = chance.sample(mixed, len(mixed))

    def by_recording(of: list[Clip]) -> dict[str, Role]:
        return {each.measures.sha256: role for each, role in zip(of, assign_roles(of, settings, seed), strict=True)}

    assert by_recording(mixed) == by_recording(shuffled)


def test_seeds_hold_out_different_clips() -> None:
    drawn = {tuple(indices(assign_roles(numbered_clips(30), PLAIN, seed), Role.HELD_OUT)) for seed in range(20)}
    assert len(drawn) > 15
    assert assign_roles(numbered_clips(30), PLAIN, 7) == assign_roles(numbered_clips(30), PLAIN, 7)


@pytest.mark.parametrize("seed", range(5))
def test_held_out_clips_are_stratified_by_length(seed: int) -> None:
    """One from each bin of the texts sorted by length."""
    skewed = [text_clip(f"line {number}", seconds=1.02**number) for number in range(120)]
    held = sorted(indices(assign_roles(skewed, PLAIN, seed), Role.HELD_OUT))
    assert [index // 10 for index in held] == list(range(12))


def test_clips_beyond_the_validation_cap_are_trained_on() -> None:
    roles = assign_roles(numbered_clips(100), DataSettings(max_validation_clips=3), 0)
    assert (roles.count(Role.HELD_OUT), roles.count(Role.TRAINING)) == (3, 97)
    assert Role.HELD_OUT not in assign_roles(numbered_clips(100), DataSettings(max_validation_clips=0), 0)


@pytest.mark.parametrize("most", [1, 20, 90, 500])
def test_clips_beyond_the_training_cap_are_spare(most: int) -> None:
    roles = assign_roles(numbered_clips(100), DataSettings(max_training_clips=most), 0)
    assert roles.count(Role.TRAINING) == min(most, 90)
    assert roles.count(Role.SPARE) == 90 - min(most, 90)
    assert indices(roles, Role.HELD_OUT) == indices(assign_roles(numbered_clips(100), PLAIN, 0), Role.HELD_OUT)


def test_a_source_that_holds_clips_out_keeps_its_own_split() -> None:
    own = [*numbered_clips(50), *[text_clip(f"kept {number}", held_out=True) for number in range(4)]]
    assert indices(assign_roles(own, PLAIN, 0), Role.HELD_OUT) == [50, 51, 52, 53]


def test_held_out_clips_are_drawn_from_sources_without_a_split() -> None:
    own = [
        *numbered_clips(20),
        text_clip("kept", held_out=True),
        *[text_clip(f"other {number}", source=1) for number in range(30)],
    ]
    held = indices(assign_roles(own, PLAIN, 0), Role.HELD_OUT)
    assert held[0] == 20 and len(held) == 1 + 3 and min(held[1:]) > 20


def test_clips_that_a_source_holds_out_beyond_the_cap_are_spare() -> None:
    own = [
        *numbered_clips(20),
        *[text_clip(f"kept {number}", held_out=True) for number in range(8)],
        *numbered_clips(30, source=1),
    ]
    roles = assign_roles(own, DataSettings(max_validation_clips=5), 0)
    assert sorted(roles[20:28]) == [Role.HELD_OUT] * 5 + [Role.SPARE] * 3
    assert roles.count(Role.TRAINING) == 50


def test_clips_with_a_held_out_text_are_held_out_in_every_source() -> None:
    own = [
        *numbered_clips(20),
        text_clip("Line 4.", recording="again", held_out=True),
        text_clip("LINE 4", source=1),
        text_clip("x", source=1),
    ]
    assert indices(assign_roles(own, PLAIN, 0), Role.HELD_OUT) == [4, 20, 21]


def test_a_text_shared_with_a_source_with_its_own_split_is_not_drawn() -> None:
    own = [*numbered_clips(30), text_clip("kept", held_out=True), *numbered_clips(30, source=1)]
    for seed in range(10):
        assert indices(assign_roles(own, PLAIN, seed), Role.HELD_OUT) == [30]


@pytest.mark.parametrize(
    "own",
    [
        [],
        [text_clip("a", held_out=True)],
        [text_clip("a"), text_clip("b"), text_clip("A!", held_out=True), text_clip("b", held_out=True)],
    ],
)
def test_nothing_to_train_on_is_refused(own: list[Clip]) -> None:
    with pytest.raises(InputError, match=f"expected clips to train on, got {len(own)} .*move some out of val/"):
        assign_roles(own, PLAIN, 0)


def split_of(*parts: tuple[int, Role], speaker: int = 0) -> DatasetSplit:
    """So many entries of each role."""
    return DatasetSplit(
        entries=tuple(
            ClipEntry(text=f"{role} {clip}", seconds=1.0 + clip, role=role, speaker=speaker)
            for count, role in parts
            for clip in range(count)
        )
    )


def test_a_split_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = DatasetSplit(
        entries=(
            ClipEntry(text="ñ 一", seconds=0.1 + 0.2, copies=(1, 2)),
            ClipEntry(text="x", seconds=1.0, role=Role.COPY, source=1, speaker=1),
            ClipEntry(text="x", seconds=2.0, role=Role.COPY),
        ),
        weights=(0.3, 2.0),
        speakers=("", "other"),
    )
    written.write(tmp_path)
    assert DatasetSplit.read(tmp_path) == written


@pytest.mark.parametrize(
    ("count", "weight", "share"), [(10, 1.0, 10), (10, 0.5, 5), (10, 2.0, 20), (7, 0.33, 2), (3, 0.01, 1), (1, 1.6, 2)]
)
def test_each_source_has_its_share_of_an_epoch_and_at_least_one_clip(count: int, weight: float, share: int) -> None:
    first = [ClipEntry(text=str(clip), seconds=1.0) for clip in range(4)]
    second = [ClipEntry(text=str(clip), seconds=1.0, source=1) for clip in range(count)]
    both = DatasetSplit(entries=(*first, *second), weights=(1.0, weight))
    assert both.shares() == {0: 4, 1: share}
    assert both.epoch_size == 4 + share


def test_only_training_clips_count_in_an_epoch() -> None:
    mixed = split_of((5, Role.TRAINING), (3, Role.HELD_OUT), (2, Role.SPARE), (4, Role.COPY))
    assert mixed.epoch_size == 5
    assert mixed.training == tuple(range(5)) and mixed.held_out == (5, 6, 7)


@pytest.mark.parametrize(
    ("training", "unseen", "chosen_training", "chosen_unseen"),
    [(8, 0, 8, 0), (100, 0, 40, 0), (100, 10, 30, 10), (100, 60, 0, 40), (3, 2, 3, 2)],
)
def test_calibration_prefers_clips_that_are_not_trained_on(
    training: int, unseen: int, chosen_training: int, chosen_unseen: int
) -> None:
    mixed = split_of((training, Role.TRAINING), (unseen, Role.HELD_OUT), (50, Role.COPY))
    roles = [mixed.entries[index].role for index in mixed.calibration]
    assert (roles.count(Role.TRAINING), roles.count(Role.HELD_OUT)) == (chosen_training, chosen_unseen)
    assert len(roles) == len(set(mixed.calibration)) <= CALIBRATION_CLIPS


def test_calibration_uses_the_first_speaker_only() -> None:
    assert split_of((9, Role.TRAINING), speaker=1).calibration == ()
