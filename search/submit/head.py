"""The interface to the head of a cluster: run commands there, send and fetch files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

OnLine = Callable[[str], None]


@dataclass(frozen=True)
class CommandResult:
    """The exit code and the output of a command on the head."""

    code: int | None
    """Exit code; None if the connection was lost before the command ended."""
    lines: tuple[str, ...]
    """Standard output and standard error; without a `code`, the last lines of the program that failed to connect."""

    @property
    def is_lost(self) -> bool:
        return self.code is None


class Head(Protocol):
    """Paths on the head are absolute and need no quoting in a shell."""

    @property
    def name(self) -> str:
        """The name of the head in messages."""
        ...

    def run(self, command: str, on_line: OnLine | None = None) -> CommandResult:
        """Runs a line of bash in a login shell on the head. Calls `on_line` with each line of output as it arrives.

        Raises InputError if the cluster does not exist or is not up.
        """
        ...

    def send(self, folder: Path, to: str) -> bool:
        """Copies the contents of a folder into an existing folder on the head; files that are there are not sent again.

        Returns False if the connection was lost.
        """
        ...

    def fetch(self, file: str, to: Path) -> bool:
        """Copies a file from the head. Returns False if the connection was lost."""
        ...
