"""Folders of a run between a node's disk and storage, for clusters whose nodes share no folder.

Whoever works in a folder pulls it before and pushes it after. One of all nodes does so at a time, so a folder is copied
whole, what is not in it any more is deleted, and what is equal already is not sent again. Files that say that others
are complete are written after those, and go before them.
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
"""They are written in this order, after everything else."""
MARKERS = ("roster.json", "prepared.json", "COMPLETE", "outcome.json")
"""Of these, those that say that what is beside them is complete."""
SYNC_RECORDS = ".mirror"
"""Folder in the run's, of what this disk and storage were known to have in common; on this disk alone."""
THREADS = 8
"""Files under way: most of the time of a small one is waiting."""
ATTEMPTS = 3
"""A file that goes away between being listed and being read is looked for anew so often."""


def push(storage: Storage | None, folder: Path) -> None:
    """Makes a folder or file of the run in storage what it is on this disk. Nothing where nodes share the folder, or
    where there is none on this disk. Raises StorageError, also when another node has changed it there since it was
    pulled here: that node has taken it over."""
    if storage is not None:
        Mirror.of(storage).push(folder.relative_to(storage.root).as_posix(), unless_overtaken=True)


def pull(storage: Storage | None, folder: Path) -> None:
    """Makes a folder or file of the run on this disk what it is in storage. Where nobody has changed it there since
    this disk was last in step, what is here is as new or newer, and only what is lost here is fetched. Raises
    StorageError."""
    if storage is not None:
        Mirror.of(storage).pull(folder.relative_to(storage.root).as_posix())


@dataclass(frozen=True)
class Mirror:
    """A folder on this disk and one in storage. A part is named by its path in both, with slashes; "." is the whole."""

    root: Path
    stored: ObjectStore
    records: Path
    """Folder for what is known of each part."""

    @classmethod
    def of(cls, storage: Storage) -> Mirror:
        """The run's folder itself."""
        return cls(storage.root, ObjectStore(storage.uri), storage.root / SYNC_RECORDS)

    def push(self, part: str, but: Collection[str] = (), unless_overtaken: bool = False) -> None:
        """See `push`; all `but` these entries of the part. Whoever alone writes it need not mind others."""
        part = _clean(part)
        here = self._here(part, but)
        if not here:
            return
        there, known = self._there(part, but), self._known(part)
        if unless_overtaken and there and there != _seen(known):
            raise StorageError(
                f"{self.stored.uri}: another node has changed {part} since it was read here, and goes on with it"
            )
        changed = [name for name, stamp in here.items() if name not in there or known.get(name) != (stamp, there[name])]
        gone = [name for name in there if name not in here]
        if changed or gone:
            self._replace(changed, gone, there, self._send, self.stored.remove)
            there = self._there(part, but)
        self._know(part, {name: (stamp, there[name]) for name, stamp in here.items() if name in there})

    def pull(self, part: str, but: Collection[str] = ()) -> None:
        """See `pull`; all `but` these entries of the part."""
        part = _clean(part)
        for tries_left in reversed(range(ATTEMPTS)):
            try:
                self._pull(part, but)
                return
            except FileNotFoundError:
                if not tries_left:
                    raise

    def bring(self, part: str, wanted: Callable[[str], bool] = lambda name: True) -> None:
        """Fetches what of it is wanted and this disk lacks or has in another size. Deletes nothing: what is beside it
        is not the run's."""
        there = self.stored.listing(_clean(part))
        names = [name for name in there if ".." not in PurePosixPath(name).parts and wanted(name)]
        _at_once(self._fetch, [name for name in names if _size(self.root / name) != there[name][0]])

    def _pull(self, part: str, but: Collection[str]) -> None:
        here, there, known = self._here(part, but), self._there(part, but), self._known(part)
        if there == _seen(known):
            lost = there.keys() - here.keys()
            self._replace(lost, (), (), self._fetch, self._forget)
            there = {name: there[name] for name in lost}
        elif there:
            changed = [name for name in there if name not in here or known.get(name) != (here[name], there[name])]
            gone = [name for name in here if name not in there]
            self._replace(changed, gone, here, self._fetch, self._forget)
            known = {}
        here = self._here(part, but)
        self._know(part, known | {name: (here[name], stamp) for name, stamp in there.items() if name in here})

    def _replace(
        self,
        changed: Iterable[str],
        gone: Iterable[str],
        target: Collection[str],
        copy: Callable[[str], None],
        remove: Callable[[str], None],
    ) -> None:
        """At no moment does a marker stand in the target beside what it does not stand for."""
        plain = [name for name in changed if not _rank(name)]
        folders = {PurePosixPath(name).parent for name in plain}
        spoilt = [name for name in target if _is_marker(name) and PurePosixPath(name).parent in folders]
        for name in sorted(spoilt, key=_rank, reverse=True):
            remove(name)
        _at_once(copy, plain)
        late = {name for name in changed if _rank(name)} | (set(spoilt) - set(gone))
        for name in sorted(late, key=_rank):
            copy(name)
        for name in sorted(gone, key=_rank, reverse=True):
            remove(name)

    def _send(self, name: str) -> None:
        self.stored.send(self.root / name, name)

    def _fetch(self, name: str) -> None:
        self.stored.fetch(name, self.root / name)

    def _forget(self, name: str) -> None:
        """Folders that are empty afterwards go too."""
        path = self.root / name
        path.unlink(missing_ok=True)
        with suppress(OSError):
            while path.parent != self.root:
                path = path.parent
                path.rmdir()

    def _here(self, part: str, but: Collection[str]) -> dict[str, FileStamp]:
        top = self.root / part
        if top.is_file():
            return {part: _stamp(top)}
        found: dict[str, FileStamp] = {}
        for folder, folders, files in os.walk(top):
            if but and Path(folder) == top:
                folders[:] = [name for name in folders if name not in but]
                files = [name for name in files if name not in but]
            folders[:] = [name for name in folders if not is_ignored(name)]
            for file in files:
                path = Path(folder, file)
                with suppress(FileNotFoundError):
                    if not is_ignored(file):
                        found[path.relative_to(self.root).as_posix()] = _stamp(path)
        return dict(sorted(found.items()))

    def _there(self, part: str, but: Collection[str]) -> dict[str, FileStamp]:
        """As `_here`: names are passed over by what they are below the part."""
        listed = self.stored.listing(part, but)
        return {name: stamp for name, stamp in listed.items() if not is_ignored(name.removeprefix(part))}

    def _record(self, part: str) -> Path:
        return self.records / f"{sha256(part.encode()).hexdigest()[:32]}.json"

    def _known(self, part: str) -> dict[str, tuple[FileStamp, FileStamp]]:
        """Of each file, how it looked here and there when both were equal."""
        try:
            record = json.loads(self._record(part).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if record["uri"] != self.stored.uri:
            return {}
        return {name: (tuple(here), tuple(there)) for name, (here, there) in record["files"].items()}

    def _know(self, part: str, files: dict[str, tuple[FileStamp, FileStamp]]) -> None:
        if files != self._known(part):
            write_text(self._record(part), json.dumps({"uri": self.stored.uri, "files": files}))


def _clean(part: str) -> str:
    return "" if part == "." else part


def _seen(known: Mapping[str, tuple[FileStamp, FileStamp]]) -> dict[str, FileStamp]:
    """How storage was when both were equal."""
    return {name: there for name, (_, there) in known.items()}


def _rank(name: str) -> int:
    """0 for a plain file; what is written later is higher."""
    last = PurePosixPath(name).name
    return WRITTEN_LAST.index(last) + 1 if last in WRITTEN_LAST else 0


def _is_marker(name: str) -> bool:
    return PurePosixPath(name).name in MARKERS


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _stamp(path: Path) -> FileStamp:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _at_once(copy: Callable[[str], None], names: Collection[str]) -> None:
    """The first that fails ends the others that have not begun."""
    with ThreadPoolExecutor(THREADS) as pool:
        under_way = [pool.submit(copy, name) for name in names]
        try:
            for each in as_completed(under_way):
                each.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
