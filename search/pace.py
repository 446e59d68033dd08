"""How long work that is counted still takes, from how it has gone so far."""

from __future__ import annotations

import time

SHOWN_AFTER = 2.0
"""Seconds that a pace is measured over before anything is foretold by it."""


class Pace:
    """Of one piece of work after another, told apart by their names."""

    def __init__(self) -> None:
        self._what = ""
        self._begun = (0.0, 0)

    def words(self, what: str, done: int, of: int) -> str:
        """`encoding clips 12/60, about 3 min left`; only `what` where there is nothing to count."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._begun = what, (now, done)
        if of <= 1:
            return what
        since, first = self._begun
        counted = f"{what} {done}/{of}"
        if now - since < SHOWN_AFTER or done <= first or done >= of:
            return counted
        minutes = (of - done) * (now - since) / (done - first) / 60
        return f"{counted}, " + ("less than a minute left" if minutes < 1 else f"about {minutes:.0f} min left")
