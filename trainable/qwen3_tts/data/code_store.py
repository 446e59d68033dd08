"""Codes of takes by the takes' keys, in Parquet shards that any number of processes read and add to."""

from __future__ import annotations

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

CODEBOOKS = 16
SCHEMA = pa.schema([("key", pa.string()), ("codes", pa.list_(pa.int16()))])
"""`codes` is [frames, 16], flattened."""
FULL = 4096
"""Takes in a shard from which on it is left alone; those with fewer are merged."""
MANY = 8
"""So many shards that are not full are merged."""
FORGOTTEN_SECONDS = 3600
"""Age of an unfinished file at which its writer is taken for dead: a shard takes milliseconds."""


class CodeStore:
    """A folder of shards. Equal keys have equal codes, so whoever adds one twice changes nothing.

    A shard that cannot be read as one, whole and with the checksums it was written with, is removed, and what it held
    is missing again. Every method raises InputError where the folder cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shards: dict[str, frozenset[str]] = {}
        self.keys: frozenset[str] = frozenset()
        """Of all takes that were here at the last `refresh`, and those added since."""

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Those of the keys that are not among the store's."""
        return [key for key in keys if key not in self.keys]

    def refresh(self) -> None:
        """Learns of shards that were added since, by whomever."""
        with cache_errors(self.folder):
            while self._list():
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
        """[frames, 16] int16 by key, of all those that are here."""
        found: dict[str, np.ndarray] = {}
        whole = False
        while not whole:
            self.refresh()
            whole = True
            for name, held in list(self._shards.items()):
                wanted = held.intersection(keys).difference(found)
                if wanted:
                    with cache_errors(self.folder):
                        rows = self._rows(name)
                    whole = whole and rows is not None
                    found |= {key: rows[key] for key in wanted} if rows else {}
        return found

    def merge(self) -> None:
        """Makes few large shards of many small ones, unless somebody else is about it.

        The old are deleted when the merged one is there; a reader that meets a deleted one lists again.
        """
        try:
            with self.lock("merge"):
                self.refresh()
                with cache_errors(self.folder):
                    self._merge_small()
                    self._sweep()
        except Timeout:
            return

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Holds the lock of that name; the system frees it when its holder is killed. Raises Timeout if it is held."""
        with cache_errors(self.folder):
            locks = self.folder / "locks"
            locks.mkdir(parents=True, exist_ok=True)
            lock = FileLock(locks / f"{name}.lock", blocking=False)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _list(self) -> bool:
        """Reads the folder once. True when a shard went away meanwhile, so that what took its place may be unknown."""
        if not self.folder.is_dir():
            self._shards = {}
            return False
        names = {entry.name for entry in os.scandir(self.folder) if entry.name.endswith(".parquet")}
        self._shards = {name: keys for name, keys in self._shards.items() if name in names}
        gone = False
        for name in sorted(names.difference(self._shards)):
            rows = self._rows(name)
            if rows is None:
                gone = True
            else:
                self._shards[name] = frozenset(rows)
        return gone

    def _rows(self, name: str) -> dict[str, np.ndarray] | None:
        """A shard's codes by key; None where it has gone, or is removed because it is broken."""
        path = self.folder / name
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            self._shards.pop(name, None)
            return None
        try:
            return _parsed(content)
        except (pa.ArrowException, OSError, ValueError):
            path.unlink(missing_ok=True)
            self._shards.pop(name, None)
            return None

    def _write(self, codes: Mapping[str, np.ndarray]) -> str:
        """Returns the shard's name, which its keys decide."""
        keys = sorted(codes)
        flat = [np.asarray(codes[key], dtype=np.int16).reshape(-1) for key in keys]
        ends = np.cumsum([0, *map(len, flat)], dtype=np.int32)
        table = pa.table({"key": keys, "codes": pa.ListArray.from_arrays(ends, np.concatenate(flat))}, SCHEMA)
        name = f"{hashlib.sha256(' '.join(keys).encode()).hexdigest()[:32]}.parquet"
        with atomic_file(self.folder / name) as beside:
            pq.write_table(table, beside, write_page_checksum=True)
        return name

    def _merge_small(self) -> None:
        small = sorted(name for name, keys in self._shards.items() if len(keys) < FULL)
        if len(small) < MANY:
            return
        merged: dict[str, np.ndarray] = {}
        old: list[str] = []
        for name in small:
            rows = self._rows(name)
            if rows is not None:
                merged |= rows
                old.append(name)
            if len(merged) >= FULL or name == small[-1]:
                self._replace(old, merged)
                merged, old = {}, []

    def _replace(self, old: list[str], merged: dict[str, np.ndarray]) -> None:
        if len(old) < 2:
            return
        kept = self._write(merged)
        for name in old:
            if name != kept:
                (self.folder / name).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Removes what killed writers left behind."""
        for path in self.folder.glob(f".*{UNFINISHED}"):
            try:
                if time.time() - path.stat().st_mtime > FORGOTTEN_SECONDS:
                    path.unlink()
            except FileNotFoundError:
                continue


@contextmanager
def cache_errors(folder: Path) -> Iterator[None]:
    """Turns what the file system says into an InputError that says what to do. A lock's Timeout passes."""
    try:
        yield
    except Timeout:
        raise
    except OSError as error:
        raise InputError(
            f"{folder}: the cache cannot be read and written ({error.strerror or error}); "
            f"make room there, or give {VARIABLE} a folder with room that you may write to"
        ) from None


def _parsed(content: bytes) -> dict[str, np.ndarray]:
    """Raises ArrowException, OSError or ValueError for anything but a whole shard."""
    table = pq.read_table(pa.BufferReader(content), page_checksum_verification=True).combine_chunks()
    if not table.schema.equals(SCHEMA) or any(column.null_count for column in table.columns):
        raise ValueError("expected the columns of a shard")
    rows = {}
    for key, codes in zip(table["key"].to_pylist(), _lists(table["codes"]), strict=True):
        if codes.size == 0 or codes.size % CODEBOOKS:
            raise ValueError("expected whole frames")
        rows[key] = codes.reshape(-1, CODEBOOKS)
    return rows


def _lists(column: pa.ChunkedArray) -> Iterator[np.ndarray]:
    for chunk in column.chunks:
        for row in chunk:
            yield row.values.to_numpy()
