"""The view for output that is not a terminal: one line per event."""

import time

from rich.console import Console

from search.console.view import describe_result, print_lines
from spaces.draw import Draw
from spaces.records.trial import Outcome, Phase, Point

MIN_RATE_SECONDS = 2.0
"""A rate is measured over at least this long before a time left is shown."""
SECONDS_BETWEEN_LINES = 60
"""At least, between two lines about the same work."""


class ProgressRate:
    """Estimates the time left of the work in progress from its rate so far."""

    def __init__(self) -> None:
        self._what = ""
        self._started = (0.0, 0)

    def describe(self, what: str, done: int, total: int) -> str:
        """`encoding clips 12/60, about 3 min left`; only `what` if the work cannot be counted."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._started = what, (now, done)
        if total <= 1:
            return what
        start, done_at_start = self._started
        text = f"{what} {done}/{total}"
        if now - start < MIN_RATE_SECONDS or done <= done_at_start or done >= total:
            return text
        minutes = (total - done) * (now - start) / (done - done_at_start) / 60
        return f"{text}, " + ("less than a minute left" if minutes < 1 else f"about {minutes:.0f} min left")


class PlainView:
    """Prints each event once. The points of a curve go to the ledger and TensorBoard only."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rate = ProgressRate()
        self._announced: set[str] = set()
        self._next_progress = 0.0
        self._started: set[str] = set()
        self._probing: set[str] = set()

    def progress(self, what: str, done: int, total: int) -> None:
        text = self._rate.describe(what, done, total)
        if what in self._announced and time.monotonic() < self._next_progress:
            return
        self.say(text if what in self._announced else what)
        self._announced.add(what)
        self._next_progress = time.monotonic() + SECONDS_BETWEEN_LINES

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
        print_lines([text], self._console)
