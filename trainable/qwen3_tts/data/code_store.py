"""A cache of codec codes by item key, in Parquet shards that any number of processes read and add to."""

import hashlib
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from spaces.errors import InputError
from trainable.files.atomic import UNFINISHED, atomic_file
from trainable.files.cache import VARIABLE
from trainable.qwen3_tts.checkpoint.size import CODEBOOKS

SCHEMA = pa.schema([("key", pa.string()), ("codes", pa.list_(pa.int16()))])
"""`codes` is [frames, 16], flattened."""
FULL_SHARD = 4096
"""Items in a shard. Shards with fewer are merged."""
MERGE_FROM = 8
"""Number of shards that are not full from which on they are merged."""
STALE_SECONDS = 3600
"""Age at which the writer of an unfinished file is taken for dead. Writing a shard takes milliseconds."""


class CodeStore:
    """A folder of shards. Equal keys have equal codes, so adding a key twice changes nothing.

    A damaged shard (truncated, wrong checksum, other columns) is removed, and its keys are missing again. Every method
    raises InputError if the folder cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shards: dict[str, frozenset[str]] = {}
        self.keys: frozenset[str] = frozenset()
        """Keys that the store had at the last `refresh`, and those added since."""

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Returns those of `keys` that the store does not have, in their order."""
        return [key for key in keys if key not in self.keys]

    def refresh(self) -> None:
        """Reads shards that this or another process has added since the last call."""
        with cache_errors(self.folder):
            while self._scan():
                pass
        self.keys = frozenset().union(*self._shards.values())

    def add(self, codes: Mapping[str, np.ndarray]) -> None:
        """Writes one shard. codes: [frames, 16] integers below 32768, by key."""
        if codes:
            with cache_errors(self.folder):
                name = self._write(codes)
            self._shards[name] = frozenset(codes)
            self.keys = self.keys | self._shards[name]

    def read(self, keys: Collection[str]) -> dict[str, np.ndarray]:
        """Returns the codes that the store has, [frames, 16] int16 by key."""
        found: dict[str, np.ndarray] = {}
        complete = False
        while not complete:
            self.refresh()
            complete = True
            for name, shard_keys in list(self._shards.items()):
                wanted = shard_keys.intersection(keys).difference(found)
                if wanted:
                    with cache_errors(self.folder):
                        rows = self._read_shard(name)
                    complete = complete and rows is not None
                    found |= {key: rows[key] for key in wanted} if rows else {}
        return found

    def merge(self) -> None:
        """Merges many small shards into few large ones, unless another process is doing so.

        The small shards are deleted after the merged one is written. A reader that finds one deleted lists again.
        """
        try:
            with self.lock("merge"):
                self.refresh()
                with cache_errors(self.folder):
                    self._merge_small()
                    self._remove_stale_files()
        except Timeout:
            return

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Holds the lock of that name; a killed process loses it. Raises Timeout if another process holds it."""
        with cache_errors(self.folder):
            locks = self.folder / "locks"
            locks.mkdir(parents=True, exist_ok=True)
            lock = FileLock(locks / f"{name}.lock", blocking=False)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _scan(self) -> bool:
        """Lists the folder once. Returns True if a shard disappeared meanwhile: its replacement may be unknown."""
        if not self.folder.is_dir():
            self._shards = {}
            return False
        names = {entry.name for entry in os.scandir(self.folder) if entry.name.endswith(".parquet")}
        self._shards = {name: keys for name, keys in self._shards.items() if name in names}
        gone = False
        for name in sorted(names.difference(self._shards)):
            rows = self._read_shard(name)
            if rows is None:
                gone = True
            else:
                self._shards[name] = frozenset(rows)
        return gone

    def _read_shard(self, name: str) -> dict[str, np.ndarray] | None:
        """Returns a shard's codes by key; None if it has gone, or was damaged and is now removed."""
        path = self.folder / name
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            self._shards.pop(name, None)
            return None
        try:
            return _parse(content)
        except (pa.ArrowException, OSError, ValueError):
            path.unlink(missing_ok=True)
            self._shards.pop(name, None)
            return None

    def _write(self, codes: Mapping[str, np.ndarray]) -> str:
        """Returns the shard's name, a hash of its keys."""
        keys = sorted(codes)
        flat = [np.asarray(codes[key], dtype=np.int16).reshape(-1) for key in keys]
        ends = np.cumsum([0, *map(len, flat)], dtype=np.int32)
        table = pa.table({"key": keys, "codes": pa.ListArray.from_arrays(ends, np.concatenate(flat))}, SCHEMA)
        name = f"{hashlib.sha256(' '.join(keys).encode()).hexdigest()[:32]}.parquet"
        with atomic_file(self.folder / name) as temporary:
            pq.write_table(table, temporary, write_page_checksum=True)
        return name

    def _merge_small(self) -> None:
        small = sorted(name for name, keys in self._shards.items() if len(keys) < FULL_SHARD)
        if len(small) < MERGE_FROM:
            return
        merged: dict[str, np.ndarray] = {}
        old: list[str] = []
        for name in small:
            rows = self._read_shard(name)
            if rows is not None:
                merged |= rows
                old.append(name)
            if len(merged) >= FULL_SHARD or name == small[-1]:
                self._replace(old, merged)
                merged, old = {}, []

    def _replace(self, old: list[str], merged: dict[str, np.ndarray]) -> None:
        if len(old) < 2:
            return
        kept = self._write(merged)
        for name in old:
            if name != kept:
                (self.folder / name).unlink(missing_ok=True)

    def _remove_stale_files(self) -> None:
        """Removes unfinished files of killed writers."""
        for path in self.folder.glob(f".*{UNFINISHED}"):
            try:
                if time.time() - path.stat().st_mtime > STALE_SECONDS:
                    path.unlink()
            except FileNotFoundError:
                continue


@contextmanager
def cache_errors(folder: Path) -> Iterator[None]:
    """Turns an OSError into an InputError that says what to do. Timeout of a lock passes."""
    try:
        yield
    except Timeout:
        raise
    except OSError as error:
        raise InputError(
            f"{folder}: the cache cannot be read and written ({error.strerror or error}); "
            f"make room there, or give {VARIABLE} a folder with room that you may write to"
        ) from None


def _parse(content: bytes) -> dict[str, np.ndarray]:
    """Raises ArrowException, OSError or ValueError for anything but an intact shard."""
    table = pq.read_table(pa.BufferReader(content), page_checksum_verification=True).combine_chunks()
    if not table.schema.equals(SCHEMA) or any(column.null_count for column in table.columns):
        raise ValueError("expected the columns key and codes")
    rows = {}
    for key, codes in zip(table["key"].to_pylist(), _list_values(table["codes"]), strict=True):
        if codes.size == 0 or codes.size % CODEBOOKS:
            raise ValueError("expected whole frames")
        rows[key] = codes.reshape(-1, CODEBOOKS)
    return rows


def _list_values(column: pa.ChunkedArray) -> Iterator[np.ndarray]:
    for chunk in column.chunks:
        for row in chunk:
            yield row.values.to_numpy()
