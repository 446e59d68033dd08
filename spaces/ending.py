"""Why a trial's training ended."""

from __future__ import annotations

from enum import StrEnum


class Ending(StrEnum):
    """One word per ending; every table, plot and ledger line uses these."""

    IN_BAND = "in_band"
    """The loss entered the band."""
    EXHAUSTED = "exhausted"
    """All epochs ran and the loss is still above the band."""
    HOPELESS = "hopeless"
    """Even the most optimistic course that its curve allows does not reach the band within its epochs."""
    OVERSHOT = "overshot"
    """The loss jumped below the band; the last checkpoint above the floor is what counts."""
    DIVERGED = "diverged"
    """The loss is not a finite number."""
    COLLAPSED = "collapsed"
    """The loss is 0: there is nothing to predict, or nothing is being scored."""
    CANCELLED = "cancelled"
    """Stopped from outside."""
    FAILED = "failed"
    """The trial's process ended in an error."""

    @property
    def is_probed(self) -> bool:
        return self in (Ending.IN_BAND, Ending.OVERSHOT)
