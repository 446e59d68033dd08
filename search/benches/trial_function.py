"""What Ray Tune runs for a trial on a bench: it asks for a seat, reports the curve and releases the seat. No torch."""

import time
from collections.abc import Callable
from typing import Any

from ray.actor import ActorHandle

from search.cluster.failure import LostError, StorageFailedError
from search.tuning.tune_report import SPEC, TRIAL, TuneReport, ensure_outcome
from spaces.errors import first_line
from spaces.records.trial import Ending, Outcome
from spaces.records.trial_spec import TrialSpec
from trainable.training.events import Cancelled, Event, Failed, Lost, Progress, StorageFailed

POLL_SECONDS = 10.0
"""How long one call waits for events before it is made again."""
BROKER_RESTART_SECONDS = 120.0
"""How long a broker that has died may take to come back."""
STORAGE_SECONDS = 900.0
"""How long a trial asks for a seat again while storage cannot be read or written. Then its process raises, and Ray Tune
starts another."""
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 30.0
"""Between two such attempts."""


def trial_function(broker: ActorHandle) -> Callable[[dict[str, Any]], None]:
    """The function that Ray Tune runs for every trial."""

    def trial(config: dict[str, Any]) -> None:
        import ray
        from ray import tune

        spec = TrialSpec.model_validate_json(config[SPEC])

        def train_in_seat() -> Outcome:
            lease = ray.get(broker.request_seat.remote(spec.trial, config[SPEC]), timeout=BROKER_RESTART_SECONDS)
            try:
                while True:
                    poll = broker.next_events.remote(lease, POLL_SECONDS)
                    for event in ray.get(poll, timeout=BROKER_RESTART_SECONDS):
                        if not isinstance(event, Progress):
                            return _outcome(spec, event)
                        tune.report(TuneReport(spec, event.point, event.phase).as_result())
            finally:
                broker.release_seat.remote(lease)

        outcome = _retry_while_storage_fails(train_in_seat)
        # `done` spares Tune another call.
        tune.report({TRIAL: spec.trial, "ending": outcome.ending.value, "accepted": outcome.accepted, "done": True})

    return trial


def _retry_while_storage_fails(train_in_seat: Callable[[], Outcome]) -> Outcome:
    """Tries again with growing pauses. Raises StorageFailedError when storage has failed for too long."""
    first_failure, pause = time.monotonic(), FIRST_PAUSE_SECONDS
    while True:
        started = time.monotonic()
        try:
            return train_in_seat()
        except StorageFailedError:
            if time.monotonic() - started > MAX_PAUSE_SECONDS:
                # The trial has trained in between.
                first_failure, pause = time.monotonic(), FIRST_PAUSE_SECONDS
            if time.monotonic() - first_failure > STORAGE_SECONDS:
                raise
            time.sleep(pause)
            pause = min(MAX_PAUSE_SECONDS, 2 * pause)


def _outcome(spec: TrialSpec, event: Event) -> Outcome:
    """The trial's outcome after its last event; written here where its bench could not write one.

    Raises LostError when the trial has not ended, StorageFailedError when that is because storage fails.
    """
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
        return ensure_outcome(spec, ending, reason)
    except OSError as error:
        raise StorageFailedError(first_line(error)) from None
