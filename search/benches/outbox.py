"""Events of a bench's trials, kept until the bench next reports to the broker."""

import time
from collections.abc import Callable

from search.tuning.tune_report import REPORT_SECONDS
from spaces.records.trial import Phase
from trainable.training.events import Event, Progress


class Outbox:
    """Also knows which trials are seated. Of a trial in training it keeps one point per REPORT_SECONDS."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_put: dict[str, float] = {}
        self._probing: set[str] = set()
        self._events: list[Event] = []
        self.seated: set[str] = set()
        self.has_ending = False
        """Whether a trial has left its seat since the last `take`."""

    def put(self, event: Event) -> None:
        if not isinstance(event, Progress):
            self._leave(event.trial)
            self.has_ending = True
        elif not self._is_due(event):
            return
        self._events.append(event)

    def take(self) -> tuple[Event, ...]:
        events, self._events, self.has_ending = tuple(self._events), [], False
        return events

    def forget(self, trial: str) -> None:
        """Drops the events of a trial that was dismissed."""
        self._leave(trial)
        self._events = [event for event in self._events if event.trial != trial]

    def _is_due(self, event: Progress) -> bool:
        if event.phase is Phase.PROBING:
            if event.trial in self._probing:
                return False
            self._probing.add(event.trial)
        elif self._clock() - self._last_put.get(event.trial, float("-inf")) < REPORT_SECONDS:
            return False
        self._last_put[event.trial] = self._clock()
        return True

    def _leave(self, trial: str) -> None:
        self.seated.discard(trial)
        self._probing.discard(trial)
        self._last_put.pop(trial, None)
