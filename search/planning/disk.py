"""Whether the disk holds a search: said before it begins, looked at while it runs."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

from search.planning.forecast import DiskForecast
from spaces.errors import InputError
from trainable.dataset.finding import Finding, Severity

LEAST_FREE_BYTES = 512 * 2**20
"""For a search to begin, where nobody knows what it needs: well above a full disk."""
FULL_BYTES = 64 * 2**20
"""Less than this is a full disk: a ledger, curves and Ray's notes want to be written all the time."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def check_disk(run: Path, needed: DiskForecast | None, resumed: bool) -> list[Finding]:
    """Makes the run's folder. Raises InputError where it cannot be written or surely does not hold one trial; a warning
    where it may not hold all of them. `needed` is None where nobody knows; what a resumed search has written counts
    among what is taken."""
    free = _free(run)
    least = (
        LEAST_FREE_BYTES if needed is None else max(FULL_BYTES, (needed.running if resumed else needed.one_trial).low)
    )
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
            message=f"{format_bytes(free)} free, and the search takes about {low} to {high}: "
            "make room, or give fewer --trials",
        )
    ]


def full_disk(run: Path, needed: DiskForecast | None) -> Callable[[], str | None]:
    """A question: why the run's folder holds no further trial, None while it does."""
    least = FULL_BYTES if needed is None else max(FULL_BYTES, needed.running.low)

    def why() -> str | None:
        free = shutil.disk_usage(run).free
        return (
            f"the disk is full ({format_bytes(free)} free, a trial takes {format_bytes(least)})"
            if free < least
            else None
        )

    return why


def is_disk_full(error: BaseException) -> bool:
    """Whether this, or what led to it, is a disk that takes no more."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if (isinstance(cause, OSError) and cause.errno in FULL) or "No space left on device" in str(cause):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False


def format_bytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _free(run: Path) -> int:
    try:
        run.mkdir(parents=True, exist_ok=True)
        written = run / ".writable"
        written.write_bytes(b"\0" * 4096)
        written.unlink()
    except OSError as error:
        raise InputError(f"{run}: cannot be written ({error.strerror}); give another --out") from None
    return shutil.disk_usage(run).free
