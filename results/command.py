"""What every command does with an error that is the user's to mend."""

from __future__ import annotations

import sys
from collections.abc import Iterator
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
