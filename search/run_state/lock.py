"""One writer per run folder: two searches never write to the same one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from results.run.run_folder import RunFolder
from spaces.errors import InputError
from trainable.files.atomic import write_text

LOCK_FILE, WRITER_FILE = ".lock", ".writer.json"
"""In the run's folder. The first is locked as long as a search writes there; the second says who does."""


class RunWriter(BaseModel):
    """Whose search writes to a run folder, for the message to whoever wants to as well."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int = Field(default_factory=os.getpid)
    host: str = Field(default_factory=socket.gethostname)
    since: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M} UTC"


@contextmanager
def writer_lock(run: RunFolder) -> Iterator[None]:
    """Holds the run's lock within. Raises InputError while another process holds it.

    The kernel lets go of the lock when its process dies, so a search that was killed keeps nobody out. On shared
    storage it holds between machines as far as `flock` does there.
    """
    run.path.mkdir(parents=True, exist_ok=True)
    writer = run.path / WRITER_FILE
    lock = FileLock(run.path / LOCK_FILE)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise InputError(_taken(run.path)) from None
    try:
        write_text(writer, RunWriter().model_dump_json())
        yield
    finally:
        writer.unlink(missing_ok=True)
        lock.release()


def refuse_if_locked(run: RunFolder) -> None:
    """Raises InputError while another process writes to the run. Nobody is kept out by having asked."""
    if is_locked(run):
        raise InputError(_taken(run.path))


def is_locked(run: RunFolder) -> bool:
    """Whether a search writes to the run on this disk."""
    if not (run.path / LOCK_FILE).exists():
        return False
    lock = FileLock(run.path / LOCK_FILE)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


def _taken(folder: Path) -> str:
    try:
        who = f" ({RunWriter.model_validate_json((folder / WRITER_FILE).read_bytes())})"
    except (OSError, ValidationError):
        who = ""
    return (
        f"{folder}: another search is writing here{who}; wait until it has ended or end it with Ctrl-C, then go on "
        "with --resume, or give another --out"
    )
