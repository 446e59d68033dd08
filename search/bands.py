"""By which interval each trial is judged: its space's, or one that moves to where adapters are accepted."""

from __future__ import annotations

from results.acceptance import Heard, acceptance
from results.ledger import History
from results.run_folder import RunFolder
from spaces.band import Band
from spaces.draw import Draw, Objective
from spaces.space import Space
from spaces.trial import Outcome
from trainable.second_chance import mend
from trainable.trial_folder import TrialFolder


class Bands:
    """A trial keeps the band that it was given when it was drawn, also when it is cut off and goes on."""

    def __init__(self, space: Space, run: RunFolder, history: History) -> None:
        self._space, self._run = space, run
        self._base = history.base.verdict if history.base else None
        self._given = {trial: band for trial in history.drawn if (band := history.band_of(trial))}
        self._heard: dict[str, tuple[Objective, Heard]] = {}
        for outcome in history.outcomes.values():
            self._hear(outcome)

    def of(self, trial: str, draw: Draw) -> Band:
        """By the verdicts known when it is first asked for; the same ever after."""
        if trial not in self._given:
            self._given[trial] = self._band(draw.objective)
        return self._given[trial]

    def over(self, trial: str) -> None:
        """The trial has ended; what its folder says of it counts from here on."""
        outcome = TrialFolder(self._run.trial(trial)).read_outcome()
        if outcome is not None:
            self._hear(outcome)

    def _band(self, objective: Objective) -> Band:
        start = self._space.band(objective)
        if not self._space.is_auto(objective):
            return start
        return acceptance([heard for of, heard in self._heard.values() if of is objective], start).band()

    def _hear(self, outcome: Outcome) -> None:
        if outcome.verdict is None or outcome.draw is None or outcome.kept is None:
            return
        mended_by = mend(outcome.verdict, self._base)
        heard = Heard(outcome.kept.loss, outcome.accepted, mended_by)
        self._heard[outcome.trial] = outcome.draw.objective, heard
