"""Events of a trial in a seat. The GPU loop emits them, and they reach the trial's Ray Tune function as they are.

This module imports no torch.
"""

import errno
from dataclasses import dataclass

from spaces.errors import first_line
from spaces.records.trial import Outcome, Phase, Point

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


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
    """The trial cannot be trained: it would fail again. Its files stay."""

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


Event = Progress | Finished | Failed | Cancelled | Lost
"""Every event but Progress is the last one of its seat, which is free afterwards."""


def event_of_error(trial: str, error: Exception) -> Failed | Lost:
    """The last event of a trial in which `error` was raised."""
    if not isinstance(error, OSError):
        return Failed(trial, first_line(error))
    # A full disk is not worth another attempt; the driver sees it too, and ends the search.
    return (Lost if error.errno in DISK_FULL else StorageFailed)(trial, first_line(error))
