"""Copies a run between disks and object storage, for a cluster whose nodes share no folder."""

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
"""The driver's files in storage are at most this old."""
STOP_CHECK_SECONDS = 1.0
"""How often the driver looks for the stop file, which isolated trials on other nodes read from storage."""
DATA, LINES, RAY = "data", "given", "ray"
"""Folders in storage only: datasets of the head, the file of probe lines, and Ray Train's bookkeeping."""
WORKER_ENTRIES = ("trials", "prepared", "base", "best", DATA, LINES, RAY)
"""Entries of a run that workers write and copy themselves. Only the driver writes all others."""


def push_bookkeeping(plan: Plan) -> None:
    """Copies the driver's files to storage: ledger, journal, TensorBoard, report. Raises StorageError."""
    if plan.stored is not None:
        Mirror.of(plan.stored).push(".", exclude=WORKER_ENTRIES)


@contextmanager
def mirrored(plan: Plan, checked: CheckedData, say: Callable[[str], None]) -> Iterator[None]:
    """Keeps the driver's files in storage up to date, and copies there what nodes need from the head's disk.

    A failure within is reported through `say` and tried again; at entry and exit it raises StorageError.
    """
    if plan.stored is None:
        yield
        return
    _push_inputs(plan, checked)
    _push_existing_run(plan, plan.stored)
    push_bookkeeping(plan)
    done = threading.Event()
    thread = threading.Thread(target=_keep_pushing, args=(plan, say, done), daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        done.set()
        thread.join()
        # The first error matters more than a failed copy.
        with suppress(OSError):
            push_bookkeeping(plan)
        raise
    done.set()
    thread.join()
    push_bookkeeping(plan)


def pull_prepared(storage: Storage | None, lines: str) -> None:
    """Fetches what a node needs to train and probe. `lines` of the probe: a name or a file. Raises StorageError."""
    if storage is None:
        return
    run = RunFolder(storage.root)
    pull(storage, run.prepared)
    pull(storage, run.base)
    if Path(lines).is_absolute():
        stored_name = _below_root(Path(lines))
        _pull_area(storage, LINES, lambda name: name == stored_name)


def pull_data(storage: Storage | None, sources: Iterable[Source]) -> None:
    """Fetches the datasets of the head's disk, to the same paths. Raises StorageError.

    Only the folders and lists that `sources` name and audio files are fetched, so that write access to storage does not
    mean write access to other files of a node.
    """
    if storage is None:
        return
    folders = [_below_root(source.path) for source in sources if source.path is not None]

    def is_wanted(name: str) -> bool:
        path = PurePosixPath(name)
        return path.suffix.lower() in AUDIO_SUFFIXES or any(path.is_relative_to(folder) for folder in folders)

    _pull_area(storage, DATA, is_wanted)


def pull_ledger(storage: Storage | None) -> None:
    """Fetches the ledger as last pushed, except where the driver writes it. Raises StorageError."""
    if storage is not None and not is_locked(RunFolder(storage.root)):
        pull(storage, RunFolder(storage.root).ledger)


def ray_storage(storage: Storage | None, folder: Path) -> dict[str, Any]:
    """Where Ray Train keeps its bookkeeping, as arguments of its RunConfig: in storage, or in the shared `folder`."""
    if storage is None:
        return {"storage_path": str(folder)}
    system, path = file_system(join_uri(storage.uri, RAY))
    return {"storage_path": path, "storage_filesystem": system}


class StopSignal:
    """Tells an isolated trial, on any node, whether the search is stopping."""

    SECONDS = 5.0
    """Between two queries of storage."""

    def __init__(self, storage: Storage | None, stop_file: Path) -> None:
        self._storage, self._stop_file = storage, stop_file
        self._queried = time.monotonic()
        self._is_stopping = False

    def __call__(self) -> bool:
        if self._storage is None:
            return self._stop_file.exists()
        if not self._is_stopping and time.monotonic() - self._queried >= self.SECONDS:
            name = self._stop_file.relative_to(self._storage.root).as_posix()
            self._is_stopping = bool(ObjectStore(self._storage.uri).listing(name))
            self._queried = time.monotonic()
        return self._is_stopping


def _keep_pushing(plan: Plan, say: Callable[[str], None], done: threading.Event) -> None:
    stop_file = plan.run.stop_file
    pushed, has_failed, was_stopping = time.monotonic(), False, stop_file.exists()
    while not done.wait(STOP_CHECK_SECONDS):
        is_stopping = stop_file.exists()
        if is_stopping == was_stopping and time.monotonic() - pushed < MIRROR_SECONDS:
            continue
        try:
            push_bookkeeping(plan)
        except OSError as error:
            if not has_failed:
                say(f"{error}; until then the search continues, and its ledger is on this disk only")
            has_failed = True
        else:
            has_failed, was_stopping = False, is_stopping
        pushed = time.monotonic()


def _push_inputs(plan: Plan, checked: CheckedData) -> None:
    """Copies datasets and the probe's lines to storage under their paths. Models are not copied: they are large, and
    either on every node or on the Hub."""
    assert plan.stored is not None
    for index, source in enumerate(plan.sources):
        if source.path is None:
            continue
        recordings = [clip.audio for clip in checked.dataset.clips if clip.source == index]
        recordings += [speaker.reference.audio for speaker in checked.dataset.speakers if speaker.reference]
        outside = [path for path in dict.fromkeys(recordings) if not path.is_relative_to(source.path)]
        for path in (source.path, *outside):
            if path.exists() and not path.is_relative_to(plan.cache):
                _area_mirror(plan.stored, DATA).push(_below_root(path))
    lines = Path(plan.space.probe.lines)
    if lines.is_absolute():
        _area_mirror(plan.stored, LINES).push(_below_root(lines))


def _push_existing_run(plan: Plan, storage: Storage) -> None:
    """Copies a resumed run from this disk to storage that does not have it."""
    if not plan.resume or ObjectStore(storage.uri).read(plan.run.ledger.name) is not None:
        return
    folders = sorted(plan.run.trials.iterdir()) if plan.run.trials.is_dir() else []
    for folder in (plan.run.prepared, plan.run.base, plan.run.best, *folders):
        Mirror.of(storage).push(folder.relative_to(plan.run.path).as_posix())


def _pull_area(storage: Storage, area: str, wanted: Callable[[str], bool]) -> None:
    """Does nothing on the disk of the driver, which these files come from."""
    if not is_locked(RunFolder(storage.root)):
        _area_mirror(storage, area).fetch_missing(".", wanted)


def _area_mirror(storage: Storage, area: str) -> Mirror:
    """Maps absolute paths to an area of storage."""
    return Mirror(Path("/"), ObjectStore(join_uri(storage.uri, area)), storage.root / SYNC_RECORDS / area)


def _below_root(path: Path) -> str:
    return path.relative_to("/").as_posix()
