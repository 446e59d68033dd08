"""Storage that fails: for a while, for good, and in the middle of a file."""

from __future__ import annotations

import pytest

from tests.support.faulty_storage import FATAL, FaultyFiles, disk, faulty, tree, write
from trainable.files import object_store
from trainable.files.object_store import StorageError


@pytest.fixture
def in_no_time(monkeypatch) -> list[float]:
    """Pauses take no time and are written down."""
    now = [0.0]
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(object_store.time, "sleep", sleep)
    monkeypatch.setattr(object_store.time, "monotonic", lambda: now[0])
    return pauses


def test_what_fails_for_a_while_is_tried_again(tmp_path, in_no_time) -> None:
    here = disk(tmp_path, "here")
    write(here.root, {"a": "text"})
    with faulty(fails_from=0, fails_until=3) as storage:
        storage.error = "AWS Error SLOW_DOWN during PutObject operation: Please reduce your request rate."
        here.push("a")
    assert tree(tmp_path / "storage") == {"a": "text"}
    assert in_no_time == [0.5, 1.0, 2.0]


def told(here, error: str, monkeypatch) -> str:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush/hush")
    write(here.root, {"a": "text"})
    with faulty(fails_from=0) as storage, pytest.raises(StorageError) as raised:
        storage.error = error
        here.push("a")
    return str(raised.value)


def test_storage_that_stays_away_is_told_with_its_address_and_the_remedy(tmp_path, in_no_time, monkeypatch) -> None:
    said = told(disk(tmp_path, "here"), "timed out with hush/hush\nat line 5", monkeypatch)
    assert said == (
        f"file://{tmp_path}/storage: cannot be written (timed out with $AWS_SECRET_ACCESS_KEY); check that every node "
        "reaches it, then go on with --resume"
    )
    assert 30 < sum(in_no_time) <= object_store.RETRY_SECONDS


def test_storage_that_refuses_is_not_asked_again(tmp_path, in_no_time, monkeypatch) -> None:
    said = told(disk(tmp_path, "here"), FATAL, monkeypatch)
    assert "every node may list, read, write and delete in it" in said and in_no_time == []


def test_a_file_that_cannot_be_read_to_its_end_leaves_no_object(tmp_path, monkeypatch) -> None:
    """An object store makes an object of whatever was written before the stream is closed."""
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


def test_a_path_that_cannot_be_made_on_a_node_is_told(tmp_path) -> None:
    here, there = disk(tmp_path, "here"), disk(tmp_path, "there")
    write(here.root, {"voice/a.wav": "a"})
    here.push(".")
    write(there.root, {"voice": "a file where a folder should be"})
    with pytest.raises(StorageError, match="voice: cannot be made on .*give --data and --out folders"):
        there.fetch_missing(".")


def test_the_wrapper_of_these_tests_passes_everything_else_on() -> None:
    from pyarrow.fs import LocalFileSystem

    assert FaultyFiles(LocalFileSystem()).type_name == "local"
