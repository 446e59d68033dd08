"""The log of a job through a connection that is lost: each line of it is told once, whatever a lost one ended with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from search.submit.head import CommandResult, OnLine
from search.submit.ray_job import Follower

JOB = "job-1"
BEGIN, END = f"Running entrypoint for job {JOB}: bash", f"@@ {JOB} ended with 3"
LOG = ["words", "line 0", "line 1", "line 2"]


class PlayedHead:
    """Says what it was given, one connection after another; all but the last are lost."""

    name = "played"

    def __init__(self, connections: Sequence[Sequence[str]]) -> None:
        self._connections = list(connections)

    def run(self, command: str, on_line: OnLine | None = None) -> CommandResult:
        said = self._connections.pop(0)
        for line in said:
            on_line(line)
        return CommandResult(0 if not self._connections else None, tuple(said))

    def send(self, folder: Path, to: str) -> bool:
        return False

    def fetch(self, file: str, to: Path) -> bool:
        return False


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        ([], LOG),
        (LOG[:2], LOG),
        (LOG, LOG),
        # Cut off in mid-line: the rest of it is not lost.
        (["words", "li"], ["words", "li", *LOG[1:]]),
        # A last word of the program that was cut off.
        (["words", "Killed"], ["words", "Killed", *LOG[1:]]),
        ([*LOG[:3], "Traceback", "  File"], [*LOG[:3], "Traceback", "  File", *LOG[3:]]),
    ],
)
def test_no_line_is_lost_or_told_twice(lost: list[str], told: list[str]) -> None:
    heard: list[str] = []
    ended = Follower(PlayedHead([[BEGIN, *lost], [BEGIN, *LOG, "", END]]), JOB, heard.append).follow()
    assert (heard, ended.code) == (told, 3)
