"""The budget of a search, what has been spent of it, and when no more trials start."""

import time
from collections.abc import Callable, Sequence

from results.run.ledger import History
from spaces.records.trial import Ending, Outcome
from spaces.space import Budget

BETTER_SHARE = 0.01
"""The best score has stalled if it rises by no more than this share of itself."""


class BudgetTracker:
    """Counts what the search has spent, including earlier processes. Trials that run when the budget is used up may
    end."""

    def __init__(
        self,
        budget: Budget,
        clock: Callable[[], float] = time.monotonic,
        history: History | None = None,
        stuck_reason: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`history` gives the time spent by earlier processes; its trials are counted when `ended` is called for each.
        `stuck_reason()` says why no trial can go on, for example a full disk; it returns None while trials can."""
        history = history or History()
        self._budget = budget
        self._clock = clock
        self._started = clock() - history.seconds
        self.stuck_reason = stuck_reason
        # The baseline and confirmations count as well.
        self._gpu_seconds = sum(final.seconds for final in history.confirmations.values())
        self._gpu_seconds += history.base.gpu_seconds if history.base else 0.0
        self._running_gpu_seconds: dict[str, float] = {}
        self._drawn = 0
        self._outcomes: list[Outcome] = []
        self.interrupted = False
        """Whether the user has pressed Ctrl-C."""

    def drawn(self) -> None:
        self._drawn += 1

    def update(self, trial: str, gpu_seconds: float) -> None:
        """Records what a running trial has cost so far."""
        self._running_gpu_seconds[trial] = gpu_seconds

    def ended(self, outcome: Outcome) -> None:
        """A cancelled trial does not count: it may be drawn again."""
        self._running_gpu_seconds.pop(outcome.trial, None)
        self._gpu_seconds += outcome.gpu_seconds
        self._outcomes.append(outcome)

    @property
    def trials_left(self) -> int:
        """Trials that may still be drawn."""
        cancelled = sum(outcome.ending is Ending.CANCELLED for outcome in self._outcomes)
        return max(0, self._budget.trials - self._drawn + cancelled)

    @property
    def gpu_seconds(self) -> float:
        """Of all trials, including those that run, the baseline and confirmations."""
        return self._gpu_seconds + sum(self._running_gpu_seconds.values())

    def stop_reason(self) -> str | None:
        """Why no trial is started, not even one that was drawn before; None while trials start."""
        budget = self._budget
        if self.interrupted:
            return "interrupted"
        accepted = sum(outcome.accepted for outcome in self._outcomes)
        if budget.accept is not None and accepted >= budget.accept:
            return f"{accepted} accepted"
        if budget.hours is not None and self._clock() - self._started >= budget.hours * 3600:
            return f"{budget.hours:g} hours are over"
        if budget.gpu_hours is not None and self.gpu_seconds >= budget.gpu_hours * 3600:
            return f"{budget.gpu_hours:g} GPU hours are used up"
        if budget.patience is not None and has_stalled(self._outcomes, budget.patience):
            return f"no better than {BETTER_SHARE:.0%} in the last {budget.patience} trials"
        return self.stuck_reason()


def has_stalled(outcomes: Sequence[Outcome], patience: int) -> bool:
    """Whether the best accepted score has risen by at most 1 % over the last `patience` ended trials.

    Ignores cancelled trials. False if fewer trials were probed, or if none was accepted before those.
    """
    counted = [outcome for outcome in outcomes if outcome.ending is not Ending.CANCELLED]
    if sum(outcome.verdict is not None for outcome in counted) < patience:
        return False
    before = _best(counted[:-patience])
    return before is not None and _best(counted) <= before + BETTER_SHARE * abs(before)


def _best(outcomes: Sequence[Outcome]) -> float | None:
    return max((outcome.verdict.score for outcome in outcomes if outcome.accepted), default=None)
