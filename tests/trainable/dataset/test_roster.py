"""Who takes which part."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainable.dataset.split import CALIBRATION_CLIPS, ClipEntry, DatasetSplit, Role


def split_of(*parts: tuple[int, Role], speaker: int = 0) -> DatasetSplit:
    """So many clips of each role."""
    return DatasetSplit(
        entries=tuple(
            ClipEntry(text=f"{role} {clip}", seconds=1.0 + clip, role=role, speaker=speaker)
            for count, role in parts
            for clip in range(count)
        )
    )


def test_it_comes_back_from_its_file(tmp_path: Path) -> None:
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
def test_a_source_gives_its_share_and_at_least_one_clip(count: int, weight: float, share: int) -> None:
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
def test_the_probe_is_calibrated_on_what_is_not_trained_on_first(
    training: int, unseen: int, chosen_training: int, chosen_unseen: int
) -> None:
    mixed = split_of((training, Role.TRAINING), (unseen, Role.HELD_OUT), (50, Role.COPY))
    roles = [mixed.entries[place].role for place in mixed.calibration]
    assert (roles.count(Role.TRAINING), roles.count(Role.HELD_OUT)) == (chosen_training, chosen_unseen)
    assert len(roles) == len(set(mixed.calibration)) <= CALIBRATION_CLIPS


def test_the_probe_hears_the_first_speaker_alone() -> None:
    assert split_of((9, Role.TRAINING), speaker=1).calibration == ()
