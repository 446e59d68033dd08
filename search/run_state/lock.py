"""The lock of a run folder, so that two searches never write to the same one."""

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
"""In the run folder. A search that writes there holds a lock on the first; the second describes its process."""


class RunWriter(BaseModel):
    """The process that writes to a run folder, for the message to a second one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int = Field(default_factory=os.getpid)
    host: str = Field(default_factory=socket.gethostname)
    since: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M} UTC"


@contextmanager
def writer_lock(run: RunFolder) -> Iterator[None]:
    """Holds the lock of the run folder. Raises InputError while another process holds it.

    The kernel releases the lock when its process dies, so a killed search does not block the next one. On a shared
    folder the lock works between machines if `flock` does there.
    """
    run.path.mkdir(parents=True, exist_ok=True)
    writer = run.path / WRITER_FILE
    lock = FileLock(run.path / LOCK_FILE)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise InputError(_locked_message(run.path)) from None
    try:
        write_text(writer, RunWriter().model_dump_json())
        yield
    finally:
        writer.unlink(missing_ok=True)
        lock.release()


def refuse_if_locked(run: RunFolder) -> None:
    """Raises InputError while another process writes to the run. Does not keep the lock itself."""
    if is_locked(run):
        raise InputError(_locked_message(run.path))


def is_locked(run: RunFolder) -> bool:
    """Whether a search is writing to the run folder on this disk."""
    if not (run.path / LOCK_FILE).exists():
        return False
    lock = FileLock(run.path / LOCK_FILE)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


def _locked_message(folder: Path) -> str:
    try:
        writer = f" ({RunWriter.model_validate_json((folder / WRITER_FILE).read_bytes())})"
    except (OSError, ValidationError):
        writer = ""
    return (
        f"{folder}: another search is writing here{writer}; wait until it ends or end it with Ctrl-C, then "
        "continue with --resume, or give another --out"
    )
