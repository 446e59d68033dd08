"""What is said of a trial whose process could not say it itself."""

from __future__ import annotations

from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError, WorkerCrashedError
from ray.train import WorkerGroupError

DIED = "its process died; out of memory, killed from outside, or its machine is gone"


class LostError(RayError):
    """The bench that was at it is gone; the message says why. Somebody else may do it."""


class StorageFailedError(LostError):
    """Storage could not be read or written; it may be again after a while."""


class NoNodeError(LostError):
    """No bench came, and none is waited for any more."""


def root_reason(error: BaseException) -> str:
    """One line on what went wrong at the bottom of Ray's wrappings."""
    if isinstance(error, WorkerGroupError) and error.worker_failures:
        error = next(iter(error.worker_failures.values()))
    if isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        error = error.cause
    if isinstance(error, LostError):
        return str(error)
    if isinstance(error, (RayActorError, WorkerCrashedError, OutOfMemoryError)):
        return DIED
    return first_line(error)


def first_line(error: BaseException) -> str:
    """What was raised and why, on one line."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    if frames:
        # Ray hands some errors on as the text of their traceback; what was raised stands below its last frame.
        below = lines[frames[-1] + 1 :]
        return next((line for line in below if not line[0].isspace()), lines[-1].strip())
    return f"{type(error).__name__}: {lines[0].strip()}" if lines else f"{type(error).__name__}, without a message"
