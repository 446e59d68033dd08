"""Mirrors between disks and storage: what is copied, in which order, and the state after an interruption."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces.storage_uri import Storage
from tests.support.faulty_storage import disk, faulty, tree, write
from tests.support.mirrored_files import AFTER, BEFORE, TRIAL, assert_nothing_is_torn, checkpoint, make_it
from trainable.files.mirror import push
from trainable.files.object_store import StorageError


@pytest.mark.parametrize("before", [{}, BEFORE], ids=["empty", "an earlier push"])
def test_a_push_cut_off_anywhere_leaves_no_false_marker(tmp_path, before) -> None:
    cuts = 0
    while True:
        folder = tmp_path / str(cuts)
        folder.mkdir()
        here, there = disk(folder, "here"), disk(folder, "there")
        make_it(here.root, before)
        here.push(TRIAL)
        make_it(here.root, AFTER)
        with faulty(fails_from=cuts) as storage:
            try:
                here.push(TRIAL)
                break
            except StorageError:
                assert len(storage.touched) > cuts
        there.pull(TRIAL)
        assert_nothing_is_torn(tree(there.root))
        here.push(TRIAL)
        there.pull(TRIAL)
        assert tree(there.root) == AFTER == tree(folder / "storage")
        cuts += 1
    assert cuts > len(AFTER)


@pytest.mark.parametrize("before", [{}, BEFORE], ids=["empty", "an earlier pull"])
def test_a_pull_cut_off_anywhere_leaves_no_false_marker(tmp_path, before) -> None:
    cuts = 0
    while True:
        folder = tmp_path / str(cuts)
        folder.mkdir()
        here, there = disk(folder, "here"), disk(folder, "there")
        for files in (before, AFTER):
            make_it(here.root, files)
            here.push(TRIAL)
            if files == before:
                there.pull(TRIAL)
        with faulty(fails_from=cuts):
            try:
                there.pull(TRIAL)
                break
            except StorageError:
                pass
        assert_nothing_is_torn(tree(there.root))
        there.pull(TRIAL)
        assert tree(there.root) == AFTER
        cuts += 1
    assert cuts == len([name for name in AFTER if before.get(name) != AFTER[name]])


def test_equal_files_are_not_sent_again(tmp_path) -> None:
    here, there = disk(tmp_path, "here"), disk(tmp_path, "there")
    make_it(here.root, AFTER)
    here.push(TRIAL)
    there.pull(TRIAL)
    with faulty() as storage:
        for mirror in (here, there):
            mirror.push(TRIAL)
            mirror.pull(TRIAL)
    assert storage.touched == []


def test_only_the_curve_is_sent_when_only_the_curve_grows(tmp_path) -> None:
    here, there = disk(tmp_path, "here"), disk(tmp_path, "there")
    make_it(here.root, BEFORE)
    here.push(TRIAL)
    there.pull(TRIAL)
    with (here.root / TRIAL / "curve.jsonl").open("a") as curve:
        curve.write("2\n")
    with faulty() as storage:
        here.push(TRIAL)
        there.pull(TRIAL)
    assert storage.names("move") == storage.names("open_input_stream") == ["curve.jsonl"]
    assert tree(there.root) == {**BEFORE, f"{TRIAL}/curve.jsonl": "1\n2\n"}


def test_markers_are_removed_first_and_written_last(tmp_path) -> None:
    here = disk(tmp_path, "here")
    make_it(here.root, BEFORE)
    here.push(TRIAL)
    make_it(here.root, AFTER)
    with faulty() as storage:
        here.push(TRIAL)
    touched = [f"{called} {path.rpartition('/step-')[2] or path}" for called, path in storage.touched]
    assert touched[0] == "delete_file 000002/COMPLETE"
    assert touched[-3:] == [f"delete_file 000001/{name}" for name in ("COMPLETE", "adapter.safetensors", "state.json")]
    written = storage.names("move")
    assert written[-4:] == ["COMPLETE", "COMPLETE", "second_chance.json", "outcome.json"]


def test_a_disk_that_is_ahead_of_storage_keeps_its_files(tmp_path) -> None:
    here = disk(tmp_path, "here")
    make_it(here.root, BEFORE)
    here.push(TRIAL)
    make_it(here.root, AFTER)
    here.pull(TRIAL)
    # The checkpoint that was pruned here is fetched again; it is older than the one that counts.
    assert tree(here.root) == {**AFTER, **checkpoint(1, "one")}


def test_a_pull_to_an_overtaken_disk_makes_it_equal_to_storage(tmp_path) -> None:
    stale, other = disk(tmp_path, "stale"), disk(tmp_path, "other")
    make_it(stale.root, BEFORE)
    stale.push(TRIAL)
    write(stale.root, checkpoint(9, "never pushed"))
    other.pull(TRIAL)
    make_it(other.root, AFTER)
    other.push(TRIAL)
    stale.pull(TRIAL)
    assert tree(stale.root) == AFTER
    assert not (stale.root / TRIAL / "checkpoints/step-000009").exists()


def test_a_push_from_an_overtaken_disk_is_refused(tmp_path) -> None:
    """As from a node that lost its network and returns when its trial has ended on another node."""
    late, other = disk(tmp_path, "late"), disk(tmp_path, "other")
    make_it(late.root, BEFORE)
    late.push(TRIAL)
    other.pull(TRIAL)
    make_it(other.root, AFTER)
    other.push(TRIAL)
    write(late.root, checkpoint(9, "too late"))
    with pytest.raises(StorageError, match="another node has changed trials/t000"):
        push(Storage(root=late.root, uri=late.store.uri), late.root / TRIAL)
    assert tree(tmp_path / "storage") == AFTER


def test_an_empty_side_does_not_empty_the_other(tmp_path) -> None:
    here, there = disk(tmp_path, "here"), disk(tmp_path, "there")
    make_it(here.root, AFTER)
    here.pull(TRIAL)
    assert tree(here.root) == AFTER
    here.push(TRIAL)
    there.push(TRIAL)
    there.pull(TRIAL)
    assert tree(there.root) == AFTER


def test_a_file_lost_on_a_disk_is_fetched_again(tmp_path) -> None:
    here = disk(tmp_path, "here")
    make_it(here.root, AFTER)
    here.push(TRIAL)
    (here.root / TRIAL / "outcome.json").unlink()
    here.pull(TRIAL)
    assert tree(here.root) == AFTER


def test_a_new_storage_gets_everything(tmp_path) -> None:
    here, moved = disk(tmp_path, "here"), disk(tmp_path, "here", f"file://{tmp_path}/another%20place")
    make_it(here.root, AFTER)
    here.push(TRIAL)
    moved.push(TRIAL)
    assert tree(tmp_path / "another place") == AFTER


def test_unfinished_files_and_dotted_names_are_ignored(tmp_path) -> None:
    here, there = disk(tmp_path, "here"), disk(tmp_path, "there")
    unfinished = {"a.part": "", ".lock": "", f"{TRIAL}/.step-1.part/state.json": "", "x.part/b": ""}
    write(here.root, {**unfinished, "a": "whole"})
    here.push(".")
    write(tmp_path / "storage", unfinished)
    there.pull(".")
    assert {path.name for path in there.root.iterdir()} == {"a", ".mirror"}


def test_a_part_may_be_a_file_or_exclude_entries(tmp_path) -> None:
    here, there = disk(tmp_path, "here"), disk(tmp_path, "there")
    write(here.root, {"ledger.jsonl": "1", "tensorboard/a": "2", "trials/t000/curve.jsonl": "3", "ray/x": "4"})
    here.push("ledger.jsonl")
    assert tree(tmp_path / "storage") == {"ledger.jsonl": "1"}
    here.push(".", exclude=("trials", "ray"))
    assert tree(tmp_path / "storage").keys() == {"ledger.jsonl", "tensorboard/a"}
    here.push("trials/t000")
    write(there.root, {"trials/t009/curve.jsonl": "another's"})
    there.pull(".", exclude=("trials", "ray"))
    assert tree(there.root).keys() == {"ledger.jsonl", "tensorboard/a", "trials/t009/curve.jsonl"}


def test_fetching_missing_files_keeps_those_of_equal_size_and_deletes_none(tmp_path) -> None:
    here, there = disk(tmp_path, "here"), disk(tmp_path, "there")
    write(here.root, {"voice/a.wav": "aaaa", "voice/b.wav": "bbbb", "voice/c.wav": "cccc"})
    here.push(".")
    write(there.root, {"voice/a.wav": "AAAA", "voice/b.wav": "b", "voice/own.wav": "mine"})
    write(here.root, {".hidden/voice/d.wav": "d"})
    here.push(".hidden/voice")
    there.fetch_missing(".")
    expected = {"voice/a.wav": "AAAA", "voice/b.wav": "bbbb", "voice/c.wav": "cccc", "voice/own.wav": "mine"}
    assert tree(there.root) == expected
    assert (there.root / ".hidden/voice/d.wav").read_text() == "d"


names = st.sampled_from(["curve.jsonl", "outcome.json", "checkpoints/a/COMPLETE", "checkpoints/a/x", "checkpoints/b/x"])
changes = st.tuples(st.booleans(), st.dictionaries(names, st.one_of(st.none(), st.text(max_size=3)), max_size=4))


@settings(max_examples=60)
@given(st.lists(changes, max_size=6))
def test_a_disk_that_takes_a_folder_over_finds_its_latest_state(turns) -> None:
    """In each turn one of two disks pulls the folder, changes it and pushes it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        disks = {False: disk(folder, "a"), True: disk(folder, "b")}
        expected: dict[str, str] = {}
        for clock, (which, files) in enumerate(turns, start=1):
            mirror = disks[which]
            mirror.pull(TRIAL)
            assert tree(mirror.root) == expected
            for file, text in files.items():
                path = mirror.root / TRIAL / file
                path.unlink(missing_ok=True)
                if text is not None:
                    write(mirror.root, {f"{TRIAL}/{file}": text})
                    # Clocks of file systems are coarse, and these turns take no time.
                    os.utime(path, ns=(clock, clock))
            expected = tree(mirror.root) or expected
            mirror.push(TRIAL)
            assert tree(folder / "storage") == expected
