"""Which errors end a trial, which let it go on in another seat, and which points of its curve are passed on."""

from __future__ import annotations

import errno
import math
from pathlib import Path

import pytest
from safetensors.torch import load_file

from spaces.records.trial import Ending, Phase
from tests.support.made_runs import outcome, point
from trainable.files.object_store import StorageError
from trainable.training.events import (
    DISK_ERRORS,
    Event,
    Failed,
    Finished,
    Lost,
    Progress,
    StorageFailed,
    event_of_error,
    thinned,
)


@pytest.mark.parametrize("read", [load_file, Path.read_text])
def test_a_missing_file_ends_the_trial_and_is_named(tmp_path: Path, read) -> None:
    missing = tmp_path / "checkpoints" / "step-000003" / "adapter.safetensors"
    with pytest.raises(FileNotFoundError) as raised:
        read(missing)
    event = event_of_error("x", raised.value)
    assert type(event) is Failed and str(missing) in event.reason


@pytest.mark.parametrize(
    "error",
    [
        ValueError("rank 4 is odd\nand more"),
        PermissionError(errno.EACCES, "Permission denied", "adapter.safetensors"),
        OSError("the model has no file named config.json"),
    ],
)
def test_an_error_that_would_come_again_ends_the_trial(error: Exception) -> None:
    event = event_of_error("x", error)
    assert type(event) is Failed and "\n" not in event.reason


@pytest.mark.parametrize("number", DISK_ERRORS)
def test_a_disk_that_fails_may_work_again(number: int) -> None:
    event = event_of_error("x", OSError(number, "no answer", "curve.jsonl"))
    assert type(event) is StorageFailed and "curve.jsonl" in event.reason


def test_storage_that_fails_may_work_again() -> None:
    assert event_of_error("x", StorageError("s3://voices: no answer")) == StorageFailed(
        "x", "StorageError: s3://voices: no answer"
    )


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_left_to_the_driver(number: int) -> None:
    event = event_of_error("x", OSError(number, "disk full"))
    assert type(event) is Lost and event.reason == f"OSError: [Errno {number}] disk full"


@pytest.mark.parametrize("last", [Finished("x", outcome("x", Ending.EXHAUSTED)), StorageFailed("x", "stale handle")])
def test_of_points_in_quick_succession_the_first_is_passed_on_and_of_other_events_all(last: Event) -> None:
    def at(step: int, trial: str = "x", phase: Phase = Phase.TRAINING) -> Progress:
        return Progress(trial, point(step), phase)

    events = [at(0), at(1), at(0, "y"), at(1, phase=Phase.PROBING), at(2), at(2, phase=Phase.PROBING), last, at(3)]
    passed: dict[float, list[Event]] = {0.0: [], math.inf: []}
    for seconds, found in passed.items():
        emit = thinned(found.append, seconds)
        for event in events:
            emit(event)
    assert passed[0.0] == events
    assert passed[math.inf] == [event for event in events if event not in (at(1), at(2))]
