"""When a search hands out no more draws."""

from __future__ import annotations

import time
from collections.abc import Callable

from spaces.ending import Ending
from spaces.space import Budget
from spaces.trial import Outcome


class Spending:
    """A budget and what has been spent of it. Trials that run when it is used up may end."""

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget = budget
        self._clock = clock
        self._started = clock()
        self._drawn = 0
        self._cancelled = 0
        self._accepted = 0
        self.interrupted = False
        """Somebody pressed Ctrl-C."""

    def drawn(self) -> None:
        self._drawn += 1

    def ended(self, outcome: Outcome) -> None:
        """A cancelled trial was not tried: it may be drawn again."""
        self._accepted += outcome.accepted
        self._cancelled += outcome.ending is Ending.CANCELLED

    @property
    def left(self) -> int:
        """Trials that may still be drawn."""
        return max(0, self._budget.trials - self._drawn + self._cancelled)

    def why_closed(self) -> str | None:
        """Why nothing more is started, not even a draw that was made before; None while things go on."""
        budget = self._budget
        if self.interrupted:
            return "interrupted"
        if budget.accept is not None and self._accepted >= budget.accept:
            return f"{self._accepted} accepted"
        if budget.hours is not None and self._clock() - self._started >= budget.hours * 3600:
            return f"{budget.hours:g} hours are over"
        return None
