"""Mirrors through the S3 protocol, with pyarrow's client."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyarrow.fs import FileSelector

from search.cluster.node_probe import file_system, remove_marks, unread_marks, write_mark
from search.cluster.preflight import mark_folder
from spaces.storage_uri import Storage, join_uri
from tests.support.faulty_storage import disk, faulty, tree, write
from tests.support.mirrored_files import AFTER, BEFORE, TRIAL, assert_nothing_is_torn, checkpoint, make_it
from tests.support.s3_server import KEY, SECRET
from trainable.files import object_store
from trainable.files.mirror import Mirror
from trainable.files.object_store import ObjectStore, StorageError


@pytest.fixture
def uri(s3: str, tmp_path: Path) -> str:
    """A folder of its own in the bucket."""
    return join_uri(s3, tmp_path.name)


def stored(uri: str) -> set[str]:
    return set(ObjectStore(uri).listing(""))


def test_a_folder_is_copied_from_disk_to_disk(uri, tmp_path) -> None:
    here, there = disk(tmp_path, "here", uri), disk(tmp_path, "there", uri)
    for files in (BEFORE, AFTER):
        make_it(here.root, files)
        here.push(TRIAL)
        there.pull(TRIAL)
        assert tree(there.root) == files
        assert stored(uri) == files.keys()


def test_equal_files_are_not_sent_again(uri, tmp_path) -> None:
    here, there = disk(tmp_path, "here", uri), disk(tmp_path, "there", uri)
    make_it(here.root, AFTER)
    here.push(TRIAL)
    there.pull(TRIAL)
    write(here.root, {f"{TRIAL}/curve.jsonl": "1\n2\n3\n4\n"})
    with faulty() as storage:
        here.push(TRIAL)
        there.pull(TRIAL)
        here.pull(TRIAL)
        there.push(TRIAL)
    # The outcome is a marker: it must not stand beside a curve that is being replaced.
    expected = ["delete_file outcome.json"]
    expected += [f"open_output_stream {name}" for name in ("curve.jsonl", "outcome.json")]
    expected += [f"open_input_stream {name}" for name in ("curve.jsonl", "outcome.json")]
    assert [f"{called} {path.rpartition('/')[2]}" for called, path in storage.touched] == expected


def test_a_push_cut_off_anywhere_leaves_no_false_marker(uri, tmp_path) -> None:
    cuts = 0
    while True:
        folder, own = tmp_path / str(cuts), join_uri(uri, str(cuts))
        folder.mkdir()
        here, there = disk(folder, "here", own), disk(folder, "there", own)
        make_it(here.root, BEFORE)
        here.push(TRIAL)
        make_it(here.root, AFTER)
        with faulty(fails_from=cuts):
            try:
                here.push(TRIAL)
                break
            except StorageError:
                pass
        there.pull(TRIAL)
        assert_nothing_is_torn(tree(there.root))
        cuts += 1
    assert cuts > 10


def test_large_files_are_copied_completely(uri, tmp_path) -> None:
    here, there = disk(tmp_path, "here", uri), disk(tmp_path, "there", uri)
    large = bytes(range(256)) * (object_store.CHUNK_BYTES // 100)
    (here.root / "large").write_bytes(large)
    here.push("large")
    there.pull("large")
    assert (there.root / "large").read_bytes() == large


def test_files_with_odd_names_are_copied(uri, tmp_path) -> None:
    here, there = disk(tmp_path, "here", uri), disk(tmp_path, "there", uri)
    files = {"a b/ø+%25 c.txt": "odd", "tensorboard/x": "kept", "trials/t000/x": "left out"}
    write(here.root, files)
    here.push(".", exclude=("trials",))
    there.pull(".", exclude=("trials",))
    assert tree(there.root) == {name: text for name, text in files.items() if name != "trials/t000/x"}


def test_a_check_of_storage_leaves_nothing(uri) -> None:
    ObjectStore(uri).check()
    assert stored(uri) == set()


def test_the_marks_of_nodes_are_read_and_removed(uri) -> None:
    folder = mark_folder(uri)
    assert [write_mark(folder, name) for name in ("one", "two")] == [None, None]
    assert unread_marks(folder, ["one", "two"]) == []
    files, place = file_system(folder)
    assert {info.base_name for info in files.get_file_info(FileSelector(place))} == {"one", "two"}
    remove_marks(folder)
    assert not list(files.get_file_info(FileSelector(place, allow_not_found=True)))


def test_a_missing_bucket_is_reported_without_secrets(s3, tmp_path) -> None:
    nowhere = s3.replace("//bucket", "//no-such-bucket")
    with pytest.raises(StorageError, match="check that the bucket exists") as raised:
        ObjectStore(nowhere).check()
    assert str(raised.value).startswith(nowhere)
    assert KEY not in str(raised.value) and SECRET not in str(raised.value)


def test_an_unreachable_server_is_reported(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(object_store, "RETRY_SECONDS", 0.1)
    uri = "s3://bucket/run?endpoint_override=http://127.0.0.1:9&scheme=http&region=us-east-1"
    mirror = Mirror.of(Storage(root=tmp_path, uri=uri))
    write(tmp_path, checkpoint(1, "one"))
    with pytest.raises(StorageError, match="check that every node reaches it") as raised:
        mirror.push(TRIAL)
    assert str(raised.value).startswith(uri) and "\n" not in str(raised.value)
