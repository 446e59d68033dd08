"""Following the log of a job over lost connections: each line is passed on once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from search.submit.head import CommandResult, OnLine
from search.submit.ray_job import Follower

JOB = "job-1"
BEGIN, END = f"Running entrypoint for job {JOB}: bash", f"@@ {JOB} ended with 3"
LOG = ["words", "line 0", "line 1", "line 2"]


class ScriptedHead:
    """Plays the given lines, one list per connection; all connections but the last are lost."""

    name = "scripted"

    def __init__(self, connections: Sequence[Sequence[str]]) -> None:
        self._connections = list(connections)

    def run(self, command: str, on_line: OnLine | None = None) -> CommandResult:
        lines = self._connections.pop(0)
        for line in lines:
            on_line(line)
        return CommandResult(0 if not self._connections else None, tuple(lines))

    def send(self, folder: Path, to: str) -> bool:
        return False

    def fetch(self, file: str, to: Path) -> bool:
        return False


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ([], LOG),
        (LOG[:2], LOG),
        (LOG, LOG),
        # A line that is cut in the middle is passed on again whole.
        (["words", "li"], ["words", "li", *LOG[1:]]),
        # A last line of the program that lost the connection.
        (["words", "Killed"], ["words", "Killed", *LOG[1:]]),
        ([*LOG[:3], "Traceback", "  File"], [*LOG[:3], "Traceback", "  File", *LOG[3:]]),
    ],
)
def test_no_line_is_lost_or_repeated(lost: list[str], expected: list[str]) -> None:
    received: list[str] = []
    end = Follower(ScriptedHead([[BEGIN, *lost], [BEGIN, *LOG, "", END]]), JOB, received.append).follow()
    assert (received, end.code) == (expected, 3)
