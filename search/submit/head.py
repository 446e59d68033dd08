"""The head of a cluster, as a search that was started from another machine needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

OnLine = Callable[[str], None]


@dataclass(frozen=True)
class CommandResult:
    """What a command on the head said."""

    code: int | None
    """How it ended; None where the connection was gone before that was known."""
    lines: tuple[str, ...]
    """Its output, standard error among it. Without a `code`, the last words of what should have reached the head."""

    @property
    def is_lost(self) -> bool:
        return self.code is None


class Head(Protocol):
    """Paths there are absolute, of plain characters."""

    @property
    def name(self) -> str:
        """What a message calls it."""
        ...

    def run(self, command: str, on_line: OnLine | None = None) -> CommandResult:
        """Runs a line of bash in a login shell there, and calls `on_line` with each line of its output as it comes.

        Raises InputError where there is no such cluster, or it is not up.
        """
        ...

    def send(self, folder: Path, to: str) -> bool:
        """Copies what is in a folder into one that exists there; what is there already is not sent again. Whether it
        arrived: False where the connection was lost."""
        ...

    def fetch(self, file: str, to: Path) -> bool:
        """Copies a file from there. Whether it arrived."""
        ...
