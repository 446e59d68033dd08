"""Errors of lost benches, and the reason at the bottom of an error that Ray has wrapped."""

from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError, WorkerCrashedError
from ray.train import WorkerGroupError

from spaces.errors import first_line

PROCESS_DIED = "its process died; out of memory, killed from outside, or its machine is gone"


class LostError(RayError):
    """The bench is gone, for the reason in the message. Another one may do the work."""


class NoNodeError(LostError):
    """No node came that could hold a bench, and none is waited for any more."""


def root_reason(error: BaseException) -> str:
    """The reason for an error on one line, without the errors that Ray has wrapped around it."""
    if isinstance(error, WorkerGroupError) and error.worker_failures:
        error = next(iter(error.worker_failures.values()))
    if isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        error = error.cause
    if isinstance(error, LostError):
        return str(error)
    if isinstance(error, (RayActorError, WorkerCrashedError, OutOfMemoryError)):
        return PROCESS_DIED
    return first_line(error)
