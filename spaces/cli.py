"""How every command speaks to a person: progress, and errors that are the user's to mend."""

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
"""What is done, how far it is, and of how many; 0 where that cannot be known."""


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turns an InputError into its message, red on standard error, and exit code 2; no traceback."""
    try:
        yield
    except InputError as error:
        _standard_error().print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(WRONG_INPUT)


@contextmanager
def progress_shown() -> Iterator[OnProgress]:
    """Bars on standard error with the time that is left; gone when the work is over, and where nobody looks."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = _standard_error()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bars = {}

        def on_progress(what: str, done: int, of: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what)
            progress.update(bars[what], completed=done, total=of or None)

        yield on_progress


def _standard_error() -> Console:
    from rich.console import Console

    return Console(stderr=True)
