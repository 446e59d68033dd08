"""What Ray Tune runs for a trial on a bench: it asks for a seat, reports the trial's events and releases the seat. No
torch."""

import time
from collections.abc import Callable
from typing import Any

from ray.actor import ActorHandle

from search.cluster.failure import LostError
from search.tuning.outcome_file import ensure_outcome
from search.tuning.tune_report import as_result, spec_of
from spaces.records.trial import Ending
from spaces.records.trial_spec import TrialSpec
from trainable.files.mirror import pull
from trainable.training.events import (
    Cancelled,
    Failed,
    Finished,
    LastEvent,
    Lost,
    Progress,
    StorageFailed,
    event_of_error,
)

POLL_SECONDS = 10.0
"""How long one call waits for events before it is made again."""
BROKER_RESTART_SECONDS = 120.0
"""How long a broker that has died may take to come back."""
STORAGE_SECONDS = 900.0
"""How long a trial asks for a seat again while storage fails and it gets no further. Then its process raises, and Ray
Tune starts another."""
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 30.0
"""Between two such attempts."""


def trial_function(broker: ActorHandle) -> Callable[[dict[str, Any]], None]:
    """The function that Ray Tune runs for every trial.

    Raises LostError when the trial has lost its seat, or when storage has failed for too long: Tune starts it again.
    """

    def trial(config: dict[str, Any]) -> None:
        from ray import tune

        spec, furthest = spec_of(config), -1
        failing_since, pause = None, FIRST_PAUSE_SECONDS

        def on_progress(event: Progress) -> None:
            nonlocal furthest, failing_since, pause
            if event.point.step > furthest:
                furthest, failing_since, pause = event.point.step, None, FIRST_PAUSE_SECONDS
            tune.report(as_result(event))

        while isinstance(last := _settle(spec, _train_in_seat(broker, spec, on_progress)), StorageFailed):
            if failing_since is None:
                failing_since = time.monotonic()
                tune.report(as_result(last))
            if time.monotonic() - failing_since > STORAGE_SECONDS:
                break
            time.sleep(pause)
            pause = min(MAX_PAUSE_SECONDS, 2 * pause)
        if isinstance(last, Lost):
            raise LostError(last.reason)
        tune.report(as_result(last))

    return trial


def _train_in_seat(broker: ActorHandle, spec: TrialSpec, on_progress: Callable[[Progress], None]) -> LastEvent:
    """The last event of the trial in its next seat."""
    import ray

    lease = ray.get(broker.request_seat.remote(spec), timeout=BROKER_RESTART_SECONDS)
    try:
        while True:
            poll = broker.next_events.remote(lease, POLL_SECONDS)
            for event in ray.get(poll, timeout=BROKER_RESTART_SECONDS):
                if not isinstance(event, Progress):
                    return event
                on_progress(event)
    finally:
        broker.release_seat.remote(lease)


def _settle(spec: TrialSpec, last: LastEvent) -> Finished | Lost:
    """Brings the folder of a trial that has finished to this node, and writes the outcome where its bench could not."""
    try:
        match last:
            case Finished():
                pull(spec.storage, spec.path)
                return last
            case Failed():
                return Finished(spec.trial, ensure_outcome(spec, Ending.FAILED, last.reason))
            case Cancelled():
                outcome = ensure_outcome(spec, Ending.CANCELLED, "stopped before it had a seat")
                return Finished(spec.trial, outcome)
    except OSError as error:
        last = event_of_error(spec.trial, error)
        if isinstance(last, Failed):
            raise
    return last
