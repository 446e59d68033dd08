"""Storage that fails: for a while, permanently, and within a file."""

from __future__ import annotations

import pytest

from tests.support.faulty_storage import FATAL, FaultyFiles, disk, faulty, tree, write
from trainable.files import object_store
from trainable.files.object_store import StorageError


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """The pauses between attempts, which take no time."""
    now = [0.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(object_store.time, "sleep", sleep)
    monkeypatch.setattr(object_store.time, "monotonic", lambda: now[0])
    return slept


def test_an_operation_that_fails_for_a_while_is_retried(tmp_path, pauses) -> None:
    here = disk(tmp_path, "here")
    write(here.root, {"a": "text"})
    with faulty(fails_from=0, fails_until=3) as storage:
        storage.error = "AWS Error SLOW_DOWN during PutObject operation: Please reduce your request rate."
        here.push("a")
    assert tree(tmp_path / "storage") == {"a": "text"}
    assert pauses == [0.5, 1.0, 2.0]


def error_message(here, error: str, monkeypatch) -> str:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush/hush")
    write(here.root, {"a": "text"})
    with faulty(fails_from=0) as storage, pytest.raises(StorageError) as raised:
        storage.error = error
        here.push("a")
    return str(raised.value)


def test_an_unreachable_storage_is_reported_with_its_address_and_the_remedy(tmp_path, pauses, monkeypatch) -> None:
    message = error_message(disk(tmp_path, "here"), "timed out with hush/hush\nat line 5", monkeypatch)
    assert message == (
        f"file://{tmp_path}/storage: cannot be written (timed out with $AWS_SECRET_ACCESS_KEY); check that every node "
        "reaches it, then continue with --resume"
    )
    assert 30 < sum(pauses) <= object_store.RETRY_SECONDS


def test_a_permanent_error_is_not_retried(tmp_path, pauses, monkeypatch) -> None:
    message = error_message(disk(tmp_path, "here"), FATAL, monkeypatch)
    assert "every node may list, read, write and delete in it" in message and pauses == []


def test_a_file_that_cannot_be_read_completely_leaves_no_object(tmp_path, monkeypatch) -> None:
    """An object store makes an object of all that was written when the stream is closed."""
    here = disk(tmp_path, "here")
    write(here.root, {"a": "text"})
    monkeypatch.setattr(object_store.ObjectStore, "_is_local", False)
    (tmp_path / "storage").mkdir()

    def half(source, stream, size: int) -> None:
        stream.write(b"te")
        raise OSError(f"the disk is broken, {FATAL}")

    monkeypatch.setattr(object_store.shutil, "copyfileobj", half)
    with pytest.raises(StorageError):
        here.push("a")
    assert list((tmp_path / "storage").iterdir()) == []


def test_a_path_that_cannot_be_made_on_a_node_is_reported(tmp_path) -> None:
    here, there = disk(tmp_path, "here"), disk(tmp_path, "there")
    write(here.root, {"voice/a.wav": "a"})
    here.push(".")
    write(there.root, {"voice": "a file where a folder should be"})
    with pytest.raises(StorageError, match="voice: cannot be made on .*give --data and --out folders"):
        there.fetch_missing(".")


def test_the_faulty_filesystem_forwards_other_attributes() -> None:
    from pyarrow.fs import LocalFileSystem

    assert FaultyFiles(LocalFileSystem()).type_name == "local"
