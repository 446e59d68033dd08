"""Which trial kills the benches it sits on: a draw that needs too much memory, say, or a fault that it alone meets."""

from __future__ import annotations

from collections.abc import Collection

SUSPECTED = 2
"""A trial on which so many benches have died, and that has come no further in between, is suspected. All who sat beside
it are as well, so no bench seats two of them: when it dies again, the one is known."""


class PoisonTrials:
    """Deaths of benches by the trials that sat there."""

    def __init__(self) -> None:
        self._step: dict[str, int] = {}
        """The last step that each trial is known to have come to."""
        self._died_at: dict[str, int] = {}
        """The furthest at which a bench has died under it."""
        self._deaths: dict[str, int] = {}
        """Since it last came further than that."""

    def reached(self, trial: str, step: int) -> None:
        """A trial that gets further than where its benches died is suspected no more."""
        self._step[trial] = step
        if step > self._died_at.get(trial, step):
            self._deaths.pop(trial, None)

    def over(self, trial: str) -> None:
        """It will sit nowhere again."""
        for known in (self._step, self._died_at, self._deaths):
            known.pop(trial, None)

    def __contains__(self, trial: str) -> bool:
        return self._deaths.get(trial, 0) >= SUSPECTED

    def died(self, seated: Collection[str]) -> str | None:
        """A bench has died under these. Returns the one that did it: which had been suspected before, alone of them, or
        which sat by itself as often."""
        suspected = [trial for trial in seated if trial in self]
        for trial in seated:
            self._died_at[trial] = max(self._died_at.get(trial, 0), self._step.get(trial, 0))
            self._deaths[trial] = self._deaths.get(trial, 0) + 1
        if len(seated) == 1:
            suspected = [trial for trial in seated if trial in self]
        return suspected[0] if len(suspected) == 1 else None
