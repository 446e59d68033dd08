"""Codes that were added to a code store are found by any reader, or are missing if their shard is damaged."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import Timeout
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spaces.errors import InputError
from trainable.qwen3_tts.data.code_store import MERGE_FROM, STALE_SECONDS, CodeStore


def codes_of(key: str) -> np.ndarray:
    """[frames, 16] int16, different for every key."""
    chance = np.random.default_rng(list(key.encode()))
    return chance.integers(0, 2048, (chance.integers(1, 50), 16)).astype(np.int16)


def filled(folder: Path, *shards: str) -> CodeStore:
    """A store with a shard for each word and an item for each of its letters."""
    store = CodeStore(folder)
    for word in shards:
        store.add({key: codes_of(key) for key in word})
    return store


def assert_holds(store: CodeStore, keys: str) -> None:
    found = store.read(set(keys))
    assert found.keys() == set(keys)
    for key in keys:
        assert found[key].dtype == np.int16 and np.array_equal(found[key], codes_of(key))


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.text("abcdefgh", max_size=5), max_size=12), merges=st.integers(0, 2))
def test_added_codes_are_found(tmp_path_factory, words: list[str], merges: int) -> None:
    folder = tmp_path_factory.mktemp("store")
    store = filled(folder, *words)
    keys = "".join(sorted(set("".join(words))))
    for _ in range(merges):
        store.merge()
    for reader in (store, CodeStore(folder)):
        assert_holds(reader, keys)
        assert reader.missing("abcdefghi") == [key for key in "abcdefghi" if key not in keys]
        assert reader.read({"x"}) == {}


def test_a_refresh_finds_what_others_added(tmp_path: Path) -> None:
    one, other = CodeStore(tmp_path), CodeStore(tmp_path)
    one.add({"a": codes_of("a")})
    assert other.missing("a") == ["a"]
    other.refresh()
    assert other.missing("a") == []


def test_many_small_shards_become_one(tmp_path: Path) -> None:
    words = [chr(ord("a") + number) for number in range(MERGE_FROM)]
    store = filled(tmp_path, *words[:-1])
    store.merge()
    assert len(shards(tmp_path)) == MERGE_FROM - 1
    store.add({words[-1]: codes_of(words[-1])})
    stale = CodeStore(tmp_path)
    stale.refresh()
    store.merge()
    assert len(shards(tmp_path)) == 1
    assert_holds(stale, "".join(words))


def test_a_shard_with_all_keys_of_the_others_survives_the_merge(tmp_path: Path) -> None:
    letters = "abcdefghij"
    store = filled(tmp_path, letters, *letters)
    store.merge()
    assert len(shards(tmp_path)) == 1
    assert_holds(CodeStore(tmp_path), letters)


def test_full_shards_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainable.qwen3_tts.data.code_store.FULL_SHARD", 3)
    store = filled(tmp_path, "abc", *"defghijklm")
    full = shards(tmp_path)
    store.merge()
    assert len(shards(tmp_path)) == 5
    assert len(set(full) & set(shards(tmp_path))) == 2
    assert_holds(CodeStore(tmp_path), "abcdefghijklm")


def test_a_merge_killed_before_it_deletes_changes_nothing(tmp_path: Path) -> None:
    letters = "abcdefghij"
    filled(tmp_path, *letters)
    small = {path: path.read_bytes() for path in shards(tmp_path)}
    store = CodeStore(tmp_path)
    store.merge()
    for path, content in small.items():
        path.write_bytes(content)
    assert_holds(CodeStore(tmp_path), letters)


def other_table(path: Path) -> None:
    pq.write_table(pa.table({"key": ["a"], "codes": [[1.5]]}), path)


def half_a_frame(path: Path) -> None:
    schema = pa.schema([("key", pa.string()), ("codes", pa.list_(pa.int16()))])
    pq.write_table(pa.Table.from_pydict({"key": ["a"], "codes": [[1] * 24]}, schema), path)


def flipped(path: Path) -> None:
    """One bit, in the middle of the first column's or the codes' page."""
    content = bytearray(path.read_bytes())
    place = len(content) // 3
    content[place] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b"PAR1 is what it says, PAR1"),
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        flipped,
        other_table,
        half_a_frame,
    ],
    ids=["empty", "cut", "garbage", "zeros", "flipped bit", "other columns", "half a frame"],
)
def test_a_damaged_shard_is_removed_and_its_keys_are_missing(tmp_path: Path, damage) -> None:
    store = filled(tmp_path, "abc")
    damaged = shards(tmp_path)[0]
    store.add({"d": codes_of("d")})
    damage(damaged)
    assert store.read(set("abcd")).keys() == {"d"}
    fresh = CodeStore(tmp_path)
    fresh.refresh()
    assert fresh.missing("abcd") == ["a", "b", "c"] == store.missing("abcd")
    assert not damaged.exists()
    fresh.add({key: codes_of(key) for key in "abc"})
    assert_holds(store, "abcd")


@pytest.mark.parametrize("known", [True, False], ids=["read intact before", "read damaged"])
def test_a_flipped_byte_never_passes_for_codes(tmp_path: Path, known: bool) -> None:
    """Every seventh byte in turn: codes are read as they were written, or are missing."""
    filled(tmp_path, "ab")
    path = shards(tmp_path)[0]
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content)
        store = CodeStore(tmp_path)
        if known:
            store.refresh()
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        for key, codes in store.read(set("ab")).items():
            assert np.array_equal(codes, codes_of(key)), place


def test_unfinished_files_are_ignored_and_removed_when_stale(tmp_path: Path) -> None:
    store = filled(tmp_path, "a")
    young, old = tmp_path / ".young.parquet.1.part", tmp_path / ".old.parquet.2.part"
    young.write_bytes(b"PAR1")
    old.write_bytes(b"PAR1")
    long_ago = time.time() - 2 * STALE_SECONDS
    os.utime(old, (long_ago, long_ago))
    store.refresh()
    assert_holds(store, "a")
    store.merge()
    assert young.exists() and not old.exists()


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    one, other = CodeStore(tmp_path), CodeStore(tmp_path)
    with one.lock("3f"):
        with pytest.raises(Timeout), other.lock("3f"):
            pass
        with other.lock("40"):
            pass
    with other.lock("3f"):
        pass


def test_a_deleted_store_is_empty(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", "ab")
    shards(tmp_path / "store")[0].unlink()
    (tmp_path / "store").rmdir()
    assert store.read({"a"}) == {}
    store.add({"a": codes_of("a")})
    assert_holds(store, "a")


def test_a_folder_that_cannot_be_written_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = CodeStore(tmp_path / "file" / "codes")
    with pytest.raises(InputError, match="SWEETSPOT_CACHE"):
        store.add({"a": codes_of("a")})
    with pytest.raises(InputError, match="SWEETSPOT_CACHE"), store.lock("3f"):
        pass
