"""What of a run goes to storage and comes from there, for a cluster whose nodes share no folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from results.run.run_folder import RunFolder
from search.planning.plan import CheckedData, Plan
from search.run_state.lock import is_locked
from spaces.storage_uri import Storage, join_uri
from trainable.dataset.source import Source
from trainable.dataset.user_files import AUDIO_SUFFIXES
from trainable.files.mirror import SYNC_RECORDS, Mirror, pull
from trainable.files.object_store import ObjectStore, file_system

MIRROR_SECONDS = 60.0
"""How old what storage has of the driver's own files may be."""
LOOK_SECONDS = 1.0
"""How often it is looked whether the search is to stop, which isolated trials on other nodes learn from storage."""
DATA, GIVEN, RAY = "data", "given", "ray"
"""In storage alone: datasets from the head's disk, files that every node needs, and Ray Train's bookkeeping."""
WORKER_ENTRIES = ("trials", "prepared", "base", "best", DATA, GIVEN, RAY)
"""Entries of a run that are copied by whoever works in them. All others the driver alone writes."""


def push_bookkeeping(plan: Plan) -> None:
    """The driver's own files: ledger, journal, TensorBoard, report. Raises StorageError."""
    if plan.stored is not None:
        Mirror.of(plan.stored).push(".", but=WORKER_ENTRIES)


@contextmanager
def mirrored(plan: Plan, checked: CheckedData, stop_file: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Within, the driver's files are in storage, a minute old at most, and so is what nodes need from the head's disk.

    Storage that fails within is told and tried again; at the ends of it StorageError is raised.
    """
    if plan.stored is None:
        yield
        return
    _push_what_nodes_need(plan, checked)
    _push_what_is_new_to_storage(plan, plan.stored)
    push_bookkeeping(plan)
    done = threading.Event()
    thread = threading.Thread(target=_keep_pushing, args=(plan, stop_file, say, done), daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        done.set()
        thread.join()
        # What went wrong is told, whatever becomes of the ledger's copy.
        with suppress(OSError):
            push_bookkeeping(plan)
        raise
    done.set()
    thread.join()
    push_bookkeeping(plan)


def pull_prepared(storage: Storage | None, lines: str) -> None:
    """What every node needs that trains or listens; `lines` of the probe, by name or as a file. Raises StorageError."""
    if storage is None:
        return
    run = RunFolder(storage.root)
    pull(storage, run.prepared)
    pull(storage, run.base)
    if Path(lines).is_absolute():
        place = _from_the_top(Path(lines))
        _bring(storage, GIVEN, lambda name: name == place)


def pull_data(storage: Storage | None, sources: Iterable[Source]) -> None:
    """What of these was on the head's disk, to the same paths: the folders and lists that they name, and recordings
    elsewhere. Whoever can write to storage writes no other file to a node. Raises StorageError."""
    if storage is None:
        return
    places = [_from_the_top(source.path) for source in sources if source.path is not None]

    def is_wanted(name: str) -> bool:
        path = PurePosixPath(name)
        return path.suffix.lower() in AUDIO_SUFFIXES or any(path.is_relative_to(place) for place in places)

    _bring(storage, DATA, is_wanted)


def pull_ledger(storage: Storage | None) -> None:
    """As it was pushed last. Nothing on the disk where a driver writes it. Raises StorageError."""
    if storage is not None and not is_locked(RunFolder(storage.root)):
        pull(storage, RunFolder(storage.root).ledger)


def ray_storage(storage: Storage | None, folder: Path) -> dict[str, Any]:
    """What a Ray Train run is told of where it keeps its bookkeeping: `folder`, where every node reaches that."""
    if storage is None:
        return {"storage_path": str(folder)}
    system, path = file_system(join_uri(storage.uri, RAY))
    return {"storage_path": path, "storage_filesystem": system}


class StopSignal:
    """Whether a search is to stop, for a trial by itself on any node."""

    SECONDS = 5.0
    """How often storage is asked."""

    def __init__(self, storage: Storage | None, stop_file: Path) -> None:
        self._storage, self._stop_file = storage, stop_file
        self._asked = time.monotonic()
        self._stands = False

    def __call__(self) -> bool:
        if self._storage is None:
            return self._stop_file.exists()
        if not self._stands and time.monotonic() - self._asked >= self.SECONDS:
            name = self._stop_file.relative_to(self._storage.root).as_posix()
            self._stands = bool(ObjectStore(self._storage.uri).listing(name))
            self._asked = time.monotonic()
        return self._stands


def _keep_pushing(plan: Plan, stop_file: Path, say: Callable[[str], None], done: threading.Event) -> None:
    pushed, is_told, was_stopping = time.monotonic(), False, stop_file.exists()
    while not done.wait(LOOK_SECONDS):
        is_stopping = stop_file.exists()
        if is_stopping == was_stopping and time.monotonic() - pushed < MIRROR_SECONDS:
            continue
        try:
            push_bookkeeping(plan)
        except OSError as error:
            if not is_told:
                say(f"{error}; until then the search goes on, and its ledger is on this disk alone")
            is_told = True
        else:
            is_told, was_stopping = False, is_stopping
        pushed = time.monotonic()


def _push_what_nodes_need(plan: Plan, checked: CheckedData) -> None:
    """Datasets and the probe's lines keep their paths. Models do not travel: they are large, and on every node, or on
    the hub."""
    assert plan.stored is not None
    for place, source in enumerate(plan.sources):
        if source.path is None:
            continue
        heard = [clip.audio for clip in checked.dataset.clips if clip.source == place]
        heard += [speaker.reference.audio for speaker in checked.dataset.speakers if speaker.reference]
        outside = [path for path in dict.fromkeys(heard) if not path.is_relative_to(source.path)]
        for path in (source.path, *outside):
            if path.exists() and not path.is_relative_to(plan.cache):
                _outside_the_run(plan.stored, DATA).push(_from_the_top(path))
    lines = Path(plan.space.probe.lines)
    if lines.is_absolute():
        _outside_the_run(plan.stored, GIVEN).push(_from_the_top(lines))


def _push_what_is_new_to_storage(plan: Plan, storage: Storage) -> None:
    """What this disk has of a run that storage has not seen."""
    if not plan.resume or ObjectStore(storage.uri).read(plan.run.ledger.name) is not None:
        return
    folders = sorted(plan.run.trials.iterdir()) if plan.run.trials.is_dir() else []
    for folder in (plan.run.prepared, plan.run.base, plan.run.best, *folders):
        Mirror.of(storage).push(folder.relative_to(plan.run.path).as_posix())


def _bring(storage: Storage, area: str, wanted: Callable[[str], bool]) -> None:
    """Nothing on the disk where a driver works: that is where these files come from."""
    if not is_locked(RunFolder(storage.root)):
        _outside_the_run(storage, area).bring(".", wanted)


def _outside_the_run(storage: Storage, area: str) -> Mirror:
    """Every absolute path, below that area of storage."""
    return Mirror(Path("/"), ObjectStore(join_uri(storage.uri, area)), storage.root / SYNC_RECORDS / area)


def _from_the_top(path: Path) -> str:
    return path.relative_to("/").as_posix()
