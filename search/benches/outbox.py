"""What a bench has to say, gathered between two polls."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable

from search.benches.messages import Barred, Ended, Event, Failed, Lost, Reached
from search.cluster.failure import first_line
from search.tuning.tune_report import REPORT_SECONDS
from spaces.records.trial import Phase
from trainable.training.bench import Event as BenchEvent
from trainable.training.events import Broken, Finished, Said

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class Outbox:
    """Keeps who is seated, and what the trials have yet to hear; training points of a trial are thinned in time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}
        self._probing: set[str] = set()
        self._events: list[tuple[str, Event]] = []
        self.seated: set[str] = set()
        self.has_ending = False
        """Whether somebody has left his seat since the last `take`."""

    def put(self, event: BenchEvent) -> None:
        match event:
            case Said():
                self._reached(event)
            case Finished():
                self._end(event.trial, Ended())
            case Broken(error=OSError() as error) if error.errno in NO_ROOM:
                # The driver sees that too, and ends the search.
                self._end(event.trial, Lost(first_line(error)))
            case Broken(error=OSError() as error):
                # Storage that fails now may be there again.
                self._end(event.trial, Barred(first_line(error)))
            case Broken():
                self._end(event.trial, Failed(first_line(event.error)))

    def take(self) -> tuple[tuple[str, Event], ...]:
        events, self._events, self.has_ending = tuple(self._events), [], False
        return events

    def forget(self, trial: str) -> None:
        """It was dismissed: nobody wants to hear of it."""
        self._leave(trial)
        self._events = [(name, event) for name, event in self._events if name != trial]

    def _reached(self, said: Said) -> None:
        if said.phase is Phase.PROBING:
            if said.trial in self._probing:
                return
            self._probing.add(said.trial)
        elif self._clock() - self._said.get(said.trial, float("-inf")) < REPORT_SECONDS:
            return
        self._said[said.trial] = self._clock()
        self._events.append((said.trial, Reached(said.point, said.phase)))

    def _end(self, trial: str, event: Event) -> None:
        self._leave(trial)
        self._events.append((trial, event))
        self.has_ending = True

    def _leave(self, trial: str) -> None:
        self.seated.discard(trial)
        self._probing.discard(trial)
        self._said.pop(trial, None)
