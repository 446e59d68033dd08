"""A trial in a seat of a bench: its function under Ray Tune joins, passes the curve on, frees the seat. No torch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ray.actor import ActorHandle

from search.cluster.failure import LostError, StorageFailedError
from search.tuning.tune_report import JOB, TRIAL, TuneReport, settle
from spaces.errors import first_line
from spaces.records.trial import Ending, Outcome
from spaces.records.trial_spec import TrialSpec
from trainable.training.events import Cancelled, Event, Failed, Lost, Progress, StorageFailed

WAIT_SECONDS = 10.0
"""How long one question to the desk may take before it is asked again."""
ANSWER_SECONDS = 120.0
"""How long a desk that has died may take to come back."""
STORAGE_SECONDS = 900.0
"""How long a trial whose storage cannot be read or written asks for a seat again before its process gives up; Ray Tune
then starts another."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
"""Between two such attempts."""


def trial_function(desk: ActorHandle) -> Callable[[dict[str, Any]], None]:
    """The function that Ray Tune runs for every trial."""

    def trial(config: dict[str, Any]) -> None:
        import ray
        from ray import tune

        job = TrialSpec.model_validate_json(config[JOB])

        def sit() -> Outcome:
            """In a seat until the trial is over or has to leave it."""
            ticket = ray.get(desk.join.remote(job.trial, config[JOB]), timeout=ANSWER_SECONDS)
            try:
                while True:
                    for event in ray.get(desk.next.remote(ticket, WAIT_SECONDS), timeout=ANSWER_SECONDS):
                        if not isinstance(event, Progress):
                            return _settle(job, event)
                        tune.report(TuneReport(job, event.point, event.phase).as_result())
            finally:
                desk.leave.remote(ticket)

        outcome = _while_storage_fails(sit)
        # `done` spares Tune from asking once more.
        tune.report({TRIAL: job.trial, "ending": outcome.ending.value, "accepted": outcome.accepted, "done": True})

    return trial


def _while_storage_fails(sit: Callable[[], Outcome]) -> Outcome:
    """Tries again with growing pauses. Raises StorageFailedError when storage has failed for too long."""
    begun, pause = time.monotonic(), FIRST_PAUSE_SECONDS
    while True:
        sat = time.monotonic()
        try:
            return sit()
        except StorageFailedError:
            if time.monotonic() - sat > LONGEST_PAUSE_SECONDS:
                # It has trained in between.
                begun, pause = time.monotonic(), FIRST_PAUSE_SECONDS
            if time.monotonic() - begun > STORAGE_SECONDS:
                raise
            time.sleep(pause)
            pause = min(LONGEST_PAUSE_SECONDS, 2 * pause)


def _settle(job: TrialSpec, event: Event) -> Outcome:
    """The trial's outcome, left where its bench could not. Raises LostError when the trial is not over,
    StorageFailedError when that is because storage fails."""
    ending, reason = Ending.FAILED, "its loop came to an end without an outcome"
    match event:
        case StorageFailed():
            raise StorageFailedError(event.reason)
        case Lost():
            raise LostError(event.reason)
        case Failed():
            reason = event.reason
        case Cancelled():
            ending, reason = Ending.CANCELLED, "stopped before it had a seat"
    try:
        return settle(job, ending, reason)
    except OSError as error:
        raise StorageFailedError(first_line(error)) from None
