"""What every command prints to its user: progress bars, and input errors without a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spaces.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

WRONG_INPUT = 2
"""Exit code of a command that was given something it cannot use."""
OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and the total; the total is 0 where it is unknown."""


def no_progress(what: str, done: int, total: int) -> None:
    """An `OnProgress` that shows nothing."""


@contextmanager
def exit_on_input_error() -> Iterator[None]:
    """Prints the message of an InputError in red on standard error and exits with code 2, without a traceback."""
    try:
        yield
    except InputError as error:
        _standard_error().print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(WRONG_INPUT)


@contextmanager
def progress_bars() -> Iterator[OnProgress]:
    """Shows bars with the time left on standard error, and clears them at the end; shows nothing without a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    console = _standard_error()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bars: dict[str, TaskID] = {}

        def on_progress(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what)
            progress.update(bars[what], completed=done, total=total or None)

        yield on_progress


def _standard_error() -> Console:
    from rich.console import Console

    return Console(stderr=True)
