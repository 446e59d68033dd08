"""A search as a Ray job on the head of a cluster: submitted, followed and stopped. It runs on without a connection."""

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
"""How long a search may take to end in good order after a stop request; a running confirmation is finished."""
READY_SECONDS = 120.0
"""How long a Ray that has just started may take until it accepts jobs."""
_LOG_BEGIN = "Running entrypoint for job "
"""Ray's first line in the log of a job."""
_JOB_ENDED = re.compile(r"Job '[^']*' (failed|succeeded|was stopped)")
_ERROR = re.compile(r"[\w.]*(Error|Exception): ")
_NOT_READY = "No available agent"
_UNKNOWN = "does not exist"


@dataclass(frozen=True)
class JobEnd:
    """How a job ended."""

    code: int | None
    """Exit code of the search; None if it was killed, or if Ray no longer knows the job."""
    reason: str = ""
    is_unknown: bool = False


class LostContactError(Exception):
    """The head could not be reached for too long. The job runs on."""


def submit_job(head: Head, job: str, project: str, command: Sequence[str]) -> None:
    """Starts `command` as a job in a copy of the folder `project`, which Ray copies to every node and imports from.

    Raises InputError if Ray on the head refuses the job, LostContactError if it is unknown whether it did.
    """
    # Ctrl-C reaches the search, which ends in good order. This shell ignores it and prints the exit code.
    script = f"trap : INT; {shlex.join(command)}; code=$?; echo; echo {shlex.quote(_last_line(job))} $code; exit $code"
    settings = {"RAY_JOB_STOP_SIGNAL": "SIGINT", "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS)}
    environment = json.dumps({"env_vars": settings})
    submit_job = ["ray", "job", "submit", "--no-wait", "--submission-id", job, "--working-dir", project]
    # A Ray that a shell started in the background ignores SIGINT, and so would its jobs.
    entrypoint = ["env", "--default-signal=INT", "bash", "-c", script]
    words = shlex.join([*submit_job, "--runtime-env-json", environment, "--", *entrypoint])
    deadline = time.monotonic() + READY_SECONDS
    while True:
        result = head.run(words)
        if result.is_lost:
            raise LostContactError(*result.lines[-1:])
        if not result.code:
            return
        lines = [line.strip() for line in result.lines if line.strip()] or ["no output"]
        problem = next((line for line in lines if _ERROR.match(line)), lines[-1])
        if _NOT_READY not in problem or time.monotonic() > deadline:
            raise InputError(f"{head.name}: Ray on the head refused the job ({problem}); see `ray status` there")
        time.sleep(LONGEST_BACKOFF_SECONDS / 10)


def request_stop(head: Head, job: str) -> bool:
    """Interrupts the search as Ctrl-C would. Returns whether the head received the request."""
    return head.run(shlex.join(["ray", "job", "stop", "--no-wait", job])).code == 0


class Follower:
    """Passes on each line of a job's log once, however often the connection is lost."""

    def __init__(self, head: Head, job: str, say: Callable[[str], None], minutes: float = LOST_MINUTES) -> None:
        self._head, self._job, self._say = head, job, say
        self._retry_seconds = 60 * minutes
        self._passed_on: list[str] = []
        self._start_over()

    def follow(self) -> JobEnd:
        """Follows the log until the job has ended. May be called again after an interruption, and continues there.

        Raises LostContactError when the head could not be reached for `minutes`.
        """
        last_contact, attempt = time.monotonic(), 0
        while True:
            self._start_over()
            result = self._head.run(shlex.join(["ray", "job", "logs", "--follow", self._job]), self._receive)
            if self._end is not None:
                return self._end
            if any(_UNKNOWN in line for line in result.lines):
                return JobEnd(None, "Ray on the head does not know the job", is_unknown=True)
            if self._position or not result.is_lost and not result.code:
                last_contact, attempt = time.monotonic(), 0
            if time.monotonic() - last_contact > self._retry_seconds:
                raise LostContactError(*result.lines[-1:])
            if attempt == 1:
                self._say(f"No answer from {self._head.name}; trying again for {self._retry_seconds / 60:g} minutes")
            time.sleep(min(FIRST_BACKOFF_SECONDS * 2**attempt, LONGEST_BACKOFF_SECONDS))
            attempt += 1

    def _start_over(self) -> None:
        """Each connection gets the log from its beginning."""
        self._position, self._is_log, self._end = 0, False, None
        self._has_empty_line = False

    def _receive(self, line: str) -> None:
        if self._end is not None:
            return
        if match := _JOB_ENDED.match(line.strip()):
            self._end = JobEnd(None, f"the job {match[1]}")
        elif line.startswith(f"{_last_line(self._job)} "):
            self._end = JobEnd(int(line.rpartition(" ")[2]))
        elif not self._is_log:
            self._is_log = line.startswith(_LOG_BEGIN)
        else:
            # An empty line is held back, because the one before the last line is not from the search.
            if self._has_empty_line:
                self._pass_on("")
            self._has_empty_line = not line
            if line:
                self._pass_on(line)

    def _pass_on(self, line: str) -> None:
        """Skips lines that an earlier connection passed on. The last of those may have been cut in the middle, or come
        from the program that lost the connection: from the first line that differs, the log is passed on again."""
        known = self._passed_on[self._position : self._position + 1]
        if known != [line]:
            self._passed_on[self._position :] = [line]
            self._say(line)
        self._position += 1


def _last_line(job: str) -> str:
    """The last line of the log of a search, before its exit code."""
    return f"@@ {job} ended with"
