"""The interface of a view, which shows a running search, and how results and paths are worded."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from rich.console import Console

from spaces.draw import Draw
from spaces.records.trial import Outcome, Phase, Point


class View(Protocol):
    """Shows a running search. The driver's thread calls it with each event, in order."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Work before the first trial; `total` is 0 or 1 when the work cannot be counted."""
        ...

    def base(self, outcome: Outcome) -> None: ...

    def started(self, trial: str, draw: Draw) -> None:
        """Also called when an interrupted trial starts again."""
        ...

    def point(self, trial: str, point: Point, phase: Phase) -> None: ...

    def ended(self, outcome: Outcome) -> None: ...

    def say(self, text: str) -> None:
        """Shows a message on its own line."""
        ...


def print_lines(lines: Iterable[str], console: Console) -> None:
    """Prints each line as it is: without markup, colours or wrapping."""
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def display_path(path: Path) -> str:
    """Relative to the working directory if the path is below it, as a user would type it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def resume_command(run: Path) -> str:
    """The command that continues the search in the folder `run`."""
    return f"python search/run.py --out {display_path(run)} --resume"


def describe_flags(outcome: Outcome) -> str:
    """`no_eos ×2, garbled ×1`; empty without a verdict or a flag."""
    flags = outcome.verdict.flags if outcome.verdict else {}
    return ", ".join(f"{flag} ×{count}" for flag, count in flags.items() if count)


def describe_result(outcome: Outcome) -> str:
    """The ending and the verdict: `in_band, rejected, score 0.150 (garbled ×2)`."""
    ending = outcome.ending.value if outcome.ending else "base"
    if outcome.verdict is None:
        return ending
    judged = "accepted" if outcome.verdict.accepted else "rejected"
    flags = describe_flags(outcome)
    return f"{ending}, {judged}, score {outcome.verdict.score:.3f}" + (f" ({flags})" if flags else "")
