"""Whether the disk holds a search: checked before the search starts, and while it runs."""

import errno
import shutil
from pathlib import Path

from search.planning.forecast import DiskForecast
from spaces.errors import InputError
from trainable.dataset.finding import Finding, Severity

MIN_FREE_BYTES = 512 * 2**20
"""Needed to start a search whose size is unknown: well above a full disk."""
FULL_BYTES = 64 * 2**20
"""A disk with less free space counts as full: the ledger, curves and Ray's files are written all the time."""
FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def check_disk(run: Path, needed: DiskForecast | None, resumed: bool) -> list[Finding]:
    """Makes the run folder and compares its free space with `needed`, which is None if the size is unknown.

    Returns a warning if the disk may not hold all trials. Raises InputError if the folder cannot be written or does not
    hold one trial. A resumed search has already written its share of what is taken.
    """
    free = _free_bytes(run)
    least = MIN_FREE_BYTES
    if needed is not None:
        least = max(FULL_BYTES, (needed.running if resumed else needed.one_trial).low)
    if free < least:
        raise InputError(
            f"{run}: only {format_bytes(free)} free, and one trial takes {format_bytes(least)} at least; make room or "
            "give another --out"
        )
    if needed is None or resumed or free >= needed.whole.high:
        return []
    low, high = (format_bytes(size) for size in needed.whole)
    return [
        Finding(
            severity=Severity.WARNING,
            check="disk",
            where=str(run),
            message=f"{format_bytes(free)} free, and the search takes about {low} to {high}: make room, or give "
            "fewer --trials",
        )
    ]


def disk_full_reason(run: Path, needed: DiskForecast | None) -> str | None:
    """Why the run folder holds no further trial; None while it does."""
    least = FULL_BYTES if needed is None else max(FULL_BYTES, needed.running.low)
    free = shutil.disk_usage(run).free
    if free >= least:
        return None
    return f"the disk is full ({format_bytes(free)} free, a trial takes {format_bytes(least)})"


def is_disk_full(error: BaseException) -> bool:
    """Whether the error, or one that caused it, came from a full or read-only disk."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if (isinstance(cause, OSError) and cause.errno in FULL_ERRORS) or "No space left on device" in str(cause):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False


def format_bytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _free_bytes(run: Path) -> int:
    try:
        run.mkdir(parents=True, exist_ok=True)
        probe_file = run / ".writable"
        probe_file.write_bytes(b"\0" * 4096)
        probe_file.unlink()
    except OSError as error:
        raise InputError(f"{run}: cannot be written ({error.strerror}); give another --out") from None
    return shutil.disk_usage(run).free
