"""Mirrors folders of a run between a node's disk and object storage, for clusters whose nodes share no folder.

A process pulls a folder before it works in it, and pushes it afterwards. Only one node works in a folder at a time, so
a folder is copied as a whole: files that are gone are deleted, and equal files are not copied again. A marker, which
says that the files beside it are complete, is written after those and removed before them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

from spaces.storage_uri import Storage
from trainable.files.atomic import write_text
from trainable.files.object_store import FileStamp, ObjectStore, StorageError, is_ignored

WRITTEN_LAST = ("roster.json", "prepared.json", "COMPLETE", "second_chance.json", "outcome.json", "ledger.jsonl")
"""Files that are written after all others, in this order."""
MARKERS = ("roster.json", "prepared.json", "COMPLETE", "outcome.json")
"""Those of them that say that the files beside them are complete."""
SYNC_RECORDS = ".mirror"
"""Folder in the run's, on this disk only, that records how files looked when disk and storage were last equal."""
THREADS = 8
"""Concurrent copies: a small file is mostly latency."""
ATTEMPTS = 3
"""How often a listing is repeated when a file disappears between being listed and being read."""

SyncRecord = Mapping[str, tuple[FileStamp, FileStamp]]
"""By file name: its stamps on this disk and in storage when both were last equal."""


def push(storage: Storage | None, folder: Path) -> None:
    """Makes a folder or file of the run in storage equal to the one on this disk.

    Does nothing where nodes share the folder, or where this disk does not have it. Raises StorageError, also when
    another node has changed it in storage since it was pulled here, and so has taken it over.
    """
    if storage is not None:
        Mirror.of(storage).push(folder.relative_to(storage.root).as_posix(), unless_overtaken=True)


def pull(storage: Storage | None, folder: Path) -> None:
    """Makes a folder or file of the run on this disk equal to the one in storage.

    Where storage has not changed since the last sync, this disk is as new or newer: only files missing here are
    fetched. Raises StorageError.
    """
    if storage is not None:
        Mirror.of(storage).pull(folder.relative_to(storage.root).as_posix())


@dataclass(frozen=True)
class Mirror:
    """A folder on this disk and one in storage. A part is named by its path in both, with slashes; "." is all of it."""

    root: Path
    store: ObjectStore
    records: Path
    """Folder of the sync records, one per part."""

    @classmethod
    def of(cls, storage: Storage) -> Mirror:
        """The mirror of the run's folder."""
        return cls(storage.root, ObjectStore(storage.uri), storage.root / SYNC_RECORDS)

    def push(self, part: str, exclude: Collection[str] = (), unless_overtaken: bool = False) -> None:
        """See `push`; leaves out the entries of the part named in `exclude`."""
        part = _clean(part)
        local = self._local(part, exclude)
        if not local:
            return
        stored, record = self._stored(part, exclude), self._read_record(part)
        if unless_overtaken and stored and stored != _stored_stamps(record):
            raise StorageError(
                f"{self.store.uri}: another node has changed {part} since it was read here, and goes on with it"
            )
        changed = [
            name for name, stamp in local.items() if name not in stored or record.get(name) != (stamp, stored[name])
        ]
        gone = [name for name in stored if name not in local]
        if changed or gone:
            self._update(changed, gone, stored, self._send, self.store.remove)
            stored = self._stored(part, exclude)
        self._write_record(part, {name: (stamp, stored[name]) for name, stamp in local.items() if name in stored})

    def pull(self, part: str, exclude: Collection[str] = ()) -> None:
        """See `pull`; leaves out the entries of the part named in `exclude`."""
        part = _clean(part)
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                self._pull(part, exclude)
                return
            except FileNotFoundError as error:
                if not attempts_left:
                    raise StorageError(
                        f"{self.store.uri}: {part or 'the run'} changes while it is read ({error}); check that no "
                        "other search writes there, then continue with --resume"
                    ) from None

    def fetch_missing(self, part: str, is_wanted: Callable[[str], bool] = lambda name: True) -> None:
        """Fetches the wanted files that this disk lacks or has in another size.

        Deletes nothing, because files beside them may not belong to the run.
        """
        stored = self.store.listing(_clean(part))
        names = [name for name in stored if ".." not in PurePosixPath(name).parts and is_wanted(name)]
        _in_parallel(self._fetch, [name for name in names if _size(self.root / name) != stored[name][0]])

    def _pull(self, part: str, exclude: Collection[str]) -> None:
        local, stored, record = self._local(part, exclude), self._stored(part, exclude), self._read_record(part)
        if stored == _stored_stamps(record):
            missing = stored.keys() - local.keys()
            self._update(missing, (), (), self._fetch, self._delete)
            stored = {name: stored[name] for name in missing}
        elif stored:
            changed = [name for name in stored if name not in local or record.get(name) != (local[name], stored[name])]
            gone = [name for name in local if name not in stored]
            self._update(changed, gone, local, self._fetch, self._delete)
            record = {}
        local = self._local(part, exclude)
        self._write_record(
            part, record | {name: (local[name], stamp) for name, stamp in stored.items() if name in local}
        )

    def _update(
        self,
        changed: Iterable[str],
        gone: Iterable[str],
        target: Collection[str],
        copy: Callable[[str], None],
        remove: Callable[[str], None],
    ) -> None:
        """Copies changed files to the target and removes gone ones from it, in an order that keeps markers true: at no
        moment does a marker stand beside files that it does not describe."""
        plain = [name for name in changed if not _rank(name)]
        folders = {PurePosixPath(name).parent for name in plain}
        outdated = [name for name in target if _is_marker(name) and PurePosixPath(name).parent in folders]
        for name in sorted(outdated, key=_rank, reverse=True):
            remove(name)
        _in_parallel(copy, plain)
        last = {name for name in changed if _rank(name)} | (set(outdated) - set(gone))
        for name in sorted(last, key=_rank):
            copy(name)
        for name in sorted(gone, key=_rank, reverse=True):
            remove(name)

    def _send(self, name: str) -> None:
        self.store.send(self.root / name, name)

    def _fetch(self, name: str) -> None:
        self.store.fetch(name, self.root / name)

    def _delete(self, name: str) -> None:
        """Deletes a file on this disk, and the folders that are empty then."""
        path = self.root / name
        path.unlink(missing_ok=True)
        with suppress(OSError):
            while path.parent != self.root:
                path = path.parent
                path.rmdir()

    def _local(self, part: str, exclude: Collection[str]) -> dict[str, FileStamp]:
        """The part's files on this disk, by name."""
        top = self.root / part
        if top.is_file():
            return {part: _stamp(top)}
        found: dict[str, FileStamp] = {}
        for folder, folders, files in os.walk(top):
            if exclude and Path(folder) == top:
                folders[:] = [name for name in folders if name not in exclude]
                files = [name for name in files if name not in exclude]
            folders[:] = [name for name in folders if not is_ignored(name)]
            for file in files:
                path = Path(folder, file)
                with suppress(FileNotFoundError):
                    if not is_ignored(file):
                        found[path.relative_to(self.root).as_posix()] = _stamp(path)
        return dict(sorted(found.items()))

    def _stored(self, part: str, exclude: Collection[str]) -> dict[str, FileStamp]:
        """The part's files in storage, by name. As in `_local`, only names below the part may be ignored."""
        listed = self.store.listing(part, exclude)
        return {name: stamp for name, stamp in listed.items() if not is_ignored(name.removeprefix(part))}

    def _record_path(self, part: str) -> Path:
        return self.records / f"{sha256(part.encode()).hexdigest()[:32]}.json"

    def _read_record(self, part: str) -> dict[str, tuple[FileStamp, FileStamp]]:
        """The part's sync record; empty where there is none for this storage."""
        try:
            record = json.loads(self._record_path(part).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if record["uri"] != self.store.uri:
            return {}
        return {name: (tuple(local), tuple(stored)) for name, (local, stored) in record["files"].items()}

    def _write_record(self, part: str, files: SyncRecord) -> None:
        if files != self._read_record(part):
            write_text(self._record_path(part), json.dumps({"uri": self.store.uri, "files": files}))


def _clean(part: str) -> str:
    return "" if part == "." else part


def _stored_stamps(record: SyncRecord) -> dict[str, FileStamp]:
    """How storage looked when both were last equal."""
    return {name: stored for name, (_, stored) in record.items()}


def _rank(name: str) -> int:
    """0 for an ordinary file; higher for one that is written later."""
    last = PurePosixPath(name).name
    return WRITTEN_LAST.index(last) + 1 if last in WRITTEN_LAST else 0


def _is_marker(name: str) -> bool:
    return PurePosixPath(name).name in MARKERS


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _stamp(path: Path) -> FileStamp:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _in_parallel(copy: Callable[[str], None], names: Collection[str]) -> None:
    """Copies the files. The first error cancels the copies that have not begun."""
    with ThreadPoolExecutor(THREADS) as pool:
        pending = [pool.submit(copy, name) for name in names]
        try:
            for each in as_completed(pending):
                each.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
