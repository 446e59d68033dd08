"""What is said of a trial whose process could not say it itself."""

from __future__ import annotations

from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError, WorkerCrashedError
from ray.train import WorkerGroupError

from spaces.errors import first_line

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
