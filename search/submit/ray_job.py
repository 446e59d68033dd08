"""A search on the head of a cluster, as a job of the Ray there: it goes on when nobody is connected."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from search.submit.head import Head
from spaces.errors import InputError

LOST_MINUTES = 10.0
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 1.0, 30.0
STOP_SECONDS = 6 * 3600
"""How long a search that was asked to stop may take to end in good order; finalists that are being heard are heard."""
READY_SECONDS = 120.0
"""How long a Ray that has just been started may take until jobs can be had from it."""
_FIRST = "Running entrypoint for job "
"""How Ray begins the log of a job."""
_OVER = re.compile(r"Job '[^']*' (failed|succeeded|was stopped)")
_ERROR = re.compile(r"[\w.]*(Error|Exception): ")
_NOT_READY = "No available agent"
_UNKNOWN = "does not exist"


@dataclass(frozen=True)
class JobEnd:
    """How a job ended."""

    code: int | None
    """The search's exit code; None where it was killed, or Ray does not know it any more."""
    reason: str = ""
    is_unknown: bool = False


class LostContactError(Exception):
    """The head was not reached for so long that it was given up; the job goes on."""


def submit_job(head: Head, job: str, project: str, command: Sequence[str]) -> None:
    """Starts `command` as a job in a copy of the folder `project`, which Ray brings to every node and imports from.

    Raises InputError where the Ray there does not take it, LostContactError where it cannot be told whether it did.
    """
    # Ctrl-C reaches the search, which ends in good order; this shell lives on to tell how.
    script = f"trap : INT; {shlex.join(command)}; code=$?; echo; echo {shlex.quote(_last(job))} $code; exit $code"
    settings = {"RAY_JOB_STOP_SIGNAL": "SIGINT", "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS)}
    environment = json.dumps({"env_vars": settings})
    submit_job = ["ray", "job", "submit", "--no-wait", "--submission-id", job, "--working-dir", project]
    # A Ray that was started in the background of some shell ignores Ctrl-C, and everything of it does.
    entrypoint = ["env", "--default-signal=INT", "bash", "-c", script]
    words = shlex.join([*submit_job, "--runtime-env-json", environment, "--", *entrypoint])
    deadline = time.monotonic() + READY_SECONDS
    while True:
        answer = head.run(words)
        if answer.is_lost:
            raise LostContactError(*answer.lines[-1:])
        if not answer.code:
            return
        told = [line.strip() for line in answer.lines if line.strip()] or ["nothing"]
        said = next((line for line in told if _ERROR.match(line)), told[-1])
        if _NOT_READY not in said or time.monotonic() > deadline:
            raise InputError(f"{head.name}: Ray on the head did not take the job ({said}); see `ray status` there")
        time.sleep(LONGEST_BACKOFF_SECONDS / 10)


def request_stop(head: Head, job: str) -> bool:
    """As Ctrl-C there would. Whether the head heard it."""
    return head.run(shlex.join(["ray", "job", "stop", "--no-wait", job])).code == 0


class Follower:
    """Hears the log of a job from its first line to its last, however often the connection is lost."""

    def __init__(self, head: Head, job: str, say: Callable[[str], None], minutes: float = LOST_MINUTES) -> None:
        self._head, self._job, self._say = head, job, say
        self._patience = 60 * minutes
        self._told: list[str] = []
        self._begin()

    def follow(self) -> JobEnd:
        """Until the job has ended. Raises LostContactError when the head could not be reached for `minutes`; may be
        called again after an interruption, and goes on where it was."""
        contact, attempt = time.monotonic(), 0
        while True:
            self._begin()
            answer = self._head.run(shlex.join(["ray", "job", "logs", "--follow", self._job]), self._hear)
            if self._end is not None:
                return self._end
            if any(_UNKNOWN in line for line in answer.lines):
                return JobEnd(None, "Ray on the head does not know it", is_unknown=True)
            if self._heard or not answer.is_lost and not answer.code:
                contact, attempt = time.monotonic(), 0
            if time.monotonic() - contact > self._patience:
                raise LostContactError(*answer.lines[-1:])
            if attempt == 1:
                self._say(f"No word from {self._head.name}; trying again for {self._patience / 60:g} minutes")
            time.sleep(min(FIRST_BACKOFF_SECONDS * 2**attempt, LONGEST_BACKOFF_SECONDS))
            attempt += 1

    def _begin(self) -> None:
        """Ray tells a log from its beginning each time."""
        self._heard, self._is_log, self._end = 0, False, None
        self._held = False

    def _hear(self, line: str) -> None:
        if self._end is not None:
            return
        if match := _OVER.match(line.strip()):
            self._end = JobEnd(None, f"the job {match[1]}")
        elif line.startswith(f"{_last(self._job)} "):
            self._end = JobEnd(int(line.rpartition(" ")[2]))
        elif not self._is_log:
            self._is_log = line.startswith(_FIRST)
        else:
            # An empty line stands before the last one, which is not the search's.
            if self._held:
                self._tell("")
            self._held = not line
            if line:
                self._tell(line)

    def _tell(self, line: str) -> None:
        """What was told before a connection was lost is not told again. What came last over it may have been torn, or a
        word of the program that lost it: where the log goes on in another way, it is told from there."""
        known = self._told[self._heard : self._heard + 1]
        if known != [line]:
            self._told[self._heard :] = [line]
            self._say(line)
        self._heard += 1


def _last(job: str) -> str:
    """How the log of a search ends, before its exit code."""
    return f"@@ {job} ended with"
