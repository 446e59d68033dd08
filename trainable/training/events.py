"""Events of a trial in a seat. The GPU loop emits them, and they reach Ray Tune as they are.

This module imports no torch.
"""

import errno
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from spaces.errors import first_line
from spaces.records.trial import Outcome, Phase, Point
from trainable.files.object_store import DISK_FULL_ERRORS, StorageError

DISK_ERRORS = (
    errno.EIO,
    errno.ESTALE,
    errno.EREMOTEIO,
    errno.ENOLCK,
    errno.ENOTCONN,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ECONNRESET,
    errno.ECONNABORTED,
)
"""How a local disk, NFS and FUSE report that they cannot serve a file now. See errno(3)."""


@dataclass(frozen=True)
class Progress:
    """A point of the trial's curve, and what the trial is doing there."""

    trial: str
    point: Point
    phase: Phase


@dataclass(frozen=True)
class Finished:
    """The trial has its outcome, which also lies in its folder."""

    trial: str
    outcome: Outcome


@dataclass(frozen=True)
class Failed:
    """The trial cannot be trained: it would fail again. It has no outcome yet."""

    trial: str
    reason: str


@dataclass(frozen=True)
class Cancelled:
    """The search stopped before the trial had a seat."""

    trial: str


@dataclass(frozen=True)
class Lost:
    """The trial lost its seat through no fault of its own. In another seat it resumes from its last checkpoint."""

    trial: str
    reason: str


@dataclass(frozen=True)
class StorageFailed(Lost):
    """The same, because storage could not be read or written. A later attempt may succeed."""


LastEvent = Finished | Failed | Cancelled | Lost
"""The seat of the trial is free afterwards."""
Event = Progress | LastEvent
Emit = Callable[[Event], None]


def thinned(emit: Emit, seconds: float) -> Emit:
    """Passes events on to `emit`, but not a point of a trial in training that comes sooner than `seconds` after its
    last point."""
    reported: dict[str, float] = {}

    def emit_if_due(event: Event) -> None:
        if isinstance(event, Progress):
            now = time.monotonic()
            if event.phase is Phase.TRAINING and now - reported.get(event.trial, -math.inf) < seconds:
                return
            reported[event.trial] = now
        else:
            reported.pop(event.trial, None)
        emit(event)

    return emit_if_due


def event_of_error(trial: str, error: Exception) -> Failed | Lost:
    """The last event of a trial in which `error` was raised.

    Storage and disks that fail may work again later. Any other error would come again, for example a missing file.
    """
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, StorageError) or number in DISK_ERRORS:
        return StorageFailed(trial, first_line(error))
    # A full disk is not worth another attempt; the driver sees it too, and ends the search.
    return (Lost if number in DISK_FULL_ERRORS else Failed)(trial, first_line(error))
