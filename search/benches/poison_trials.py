"""Finds trials that kill their benches: a draw that needs too much memory, say, or that meets a fault of its own."""

from collections.abc import Collection

SUSPECT_DEATHS = 2
"""A trial is suspected once so many benches have died under it without progress in between. Its neighbours are too, so
no bench seats two suspects: the next death tells which one it was."""


class PoisonTrials:
    """Counts the deaths of benches by the trials that were seated there. `trial in poison`: it is suspected."""

    def __init__(self) -> None:
        self._step: dict[str, int] = {}
        """The last known step of each trial."""
        self._died_at: dict[str, int] = {}
        """The furthest step at which a bench has died under each trial."""
        self._deaths: dict[str, int] = {}
        """Since the trial last passed that step."""

    def progressed(self, trial: str, step: int) -> None:
        """A trial that passes the step where its benches died is suspected no more."""
        self._step[trial] = step
        if step > self._died_at.get(trial, step):
            self._deaths.pop(trial, None)

    def forget(self, trial: str) -> None:
        """The trial has ended and will not be seated again."""
        for records in (self._step, self._died_at, self._deaths):
            records.pop(trial, None)

    def __contains__(self, trial: str) -> bool:
        return self._deaths.get(trial, 0) >= SUSPECT_DEATHS

    def bench_died(self, seated: Collection[str]) -> str | None:
        """Counts a death of the bench with these trials. Returns the one that caused it, if that is known: the only
        suspect among them, or a trial without neighbours that has just become one."""
        suspects = [trial for trial in seated if trial in self]
        for trial in seated:
            self._died_at[trial] = max(self._died_at.get(trial, 0), self._step.get(trial, 0))
            self._deaths[trial] = self._deaths.get(trial, 0) + 1
        if len(seated) == 1:
            suspects = [trial for trial in seated if trial in self]
        return suspects[0] if len(suspects) == 1 else None
