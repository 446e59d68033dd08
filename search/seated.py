"""A trial in a seat of a bench: its function under Ray Tune joins, passes the curve on, frees the seat. No torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.actor import ActorHandle

from search.events import Cancelled, Ended, Event, Failed, Lost, Reached
from search.failure import LostError, settle
from search.report import JOB, TRIAL, Report
from spaces.ending import Ending
from spaces.job import Job

WAIT_SECONDS = 10.0
"""How long one question to the desk may take before it is asked again."""
ANSWER_SECONDS = 120.0
"""How long a desk that has died may take to come back."""


def trial_function(desk: ActorHandle) -> Callable[[dict[str, Any]], None]:
    """The function that Ray Tune runs for every trial."""

    def trial(config: dict[str, Any]) -> None:
        import ray
        from ray import tune

        job = Job.model_validate_json(config[JOB])
        ticket = ray.get(desk.join.remote(job.trial, config[JOB]), timeout=ANSWER_SECONDS)
        try:
            is_over = False
            while not is_over:
                for event in ray.get(desk.next.remote(ticket, WAIT_SECONDS), timeout=ANSWER_SECONDS):
                    if isinstance(event, Reached):
                        tune.report(Report(job, event.point, event.phase).as_result())
                    else:
                        _settle(job, event)
                        is_over = True
        finally:
            desk.leave.remote(ticket)
        outcome = settle(job, Ending.FAILED, "its loop came to an end without an outcome")
        # `done` spares Tune from asking once more.
        tune.report({TRIAL: job.trial, "ending": outcome.ending.value, "accepted": outcome.accepted, "done": True})

    return trial


def _settle(job: Job, event: Event) -> None:
    """Leaves the trial's outcome where its bench could not. Raises LostError when the trial is not over."""
    match event:
        case Lost():
            raise LostError(event.reason)
        case Failed():
            settle(job, Ending.FAILED, event.reason)
        case Cancelled():
            settle(job, Ending.CANCELLED, "stopped before it had a seat")
        case Ended():
            pass
