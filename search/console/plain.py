"""The view where standard output is no terminal: a line per event.

How long work that is counted still takes, from how it has gone so far.
"""

from __future__ import annotations

import time

from rich.console import Console

from search.console.view import describe_result
from spaces.draw import Draw
from spaces.records.trial import Outcome, Phase, Point

SHOWN_AFTER = 2.0
"""Seconds that a pace is measured over before anything is foretold by it."""


class ProgressRate:
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


SECONDS_BETWEEN = 60
"""At least, between two lines about the same work."""


class PlainView:
    """Says each thing once; points of a curve are left to the ledger and TensorBoard."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: set[str] = set()
        self._pace = ProgressRate()
        self._next = 0.0
        self._probing: set[str] = set()
        self._started: set[str] = set()

    def progress(self, what: str, done: int, of: int) -> None:
        words = self._pace.words(what, done, of)
        if what not in self._said:
            self._said.add(what)
            self.say(what)
            self._next = time.monotonic() + SECONDS_BETWEEN
        elif time.monotonic() >= self._next:
            self.say(words)
            self._next = time.monotonic() + SECONDS_BETWEEN

    def base(self, outcome: Outcome) -> None:
        self.say(f"base model: {describe_result(outcome).removeprefix('base, ')}")

    def started(self, trial: str, draw: Draw) -> None:
        self.say(f"{trial} starts again" if trial in self._started else f"{trial} starts: {draw.describe()}")
        self._started.add(trial)

    def point(self, trial: str, point: Point, phase: Phase) -> None:
        if phase is Phase.PROBING and trial not in self._probing:
            self._probing.add(trial)
            self.say(f"{trial} is being probed at loss {point.loss:.3f}")

    def ended(self, outcome: Outcome) -> None:
        self.say(f"{outcome.trial} ended: {describe_result(outcome)}; {outcome.reason}")

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
