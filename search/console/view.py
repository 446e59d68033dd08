"""What somebody sees while a search runs."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from spaces.draw import Draw
from spaces.records.trial import Outcome, Phase, Point


class View(Protocol):
    """Hears of everything that happens, in order, from the driver's thread."""

    def progress(self, what: str, done: int, of: int) -> None:
        """Work before the first trial; `of` 0 or 1 when it cannot be counted."""
        ...

    def base(self, outcome: Outcome) -> None: ...

    def started(self, trial: str, draw: Draw) -> None:
        """Also when a trial that was cut off starts again."""
        ...

    def point(self, trial: str, point: Point, phase: Phase) -> None: ...

    def ended(self, outcome: Outcome) -> None: ...

    def say(self, text: str) -> None:
        """A line of its own."""
        ...


def display_path(path: Path) -> str:
    """A path as one would type it: from the working directory, where it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def describe_flags(outcome: Outcome) -> str:
    """`no_eos ×2, garbled ×1`; empty without a verdict or a flag."""
    flags = outcome.verdict.flags if outcome.verdict else {}
    return ", ".join(f"{flag.value} ×{count}" for flag, count in flags.items() if count)


def describe_result(outcome: Outcome) -> str:
    """An ending and what the probe made of it, in a few words."""
    ending = outcome.ending.value if outcome.ending else "base"
    if outcome.verdict is None:
        return ending
    judged = "accepted" if outcome.verdict.accepted else "rejected"
    flags = describe_flags(outcome)
    return f"{ending}, {judged}, score {outcome.verdict.score:.3f}" + (f" ({flags})" if flags else "")
