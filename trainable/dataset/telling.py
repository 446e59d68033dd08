"""How the dataset commands speak to a person: progress, and errors that are the user's to mend."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spaces.errors import InputError

WRONG_INPUT = 2
"""Exit code of a command that was given something it cannot use."""


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turns an InputError into its message, red on standard error, and exit code 2; no traceback."""
    try:
        yield
    except InputError as error:
        from rich.console import Console

        Console(stderr=True, soft_wrap=True).print(str(error), style="red", markup=False, highlight=False)
        sys.exit(WRONG_INPUT)


@contextmanager
def progress(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error with the time that is left, in a terminal only. Told with `(done, of)`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
