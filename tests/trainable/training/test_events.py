"""Which errors end a trial, and which let it go on in another seat."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from safetensors.torch import load_file

from trainable.files.object_store import StorageError
from trainable.training.events import DISK_ERRORS, Failed, Lost, StorageFailed, event_of_error


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
