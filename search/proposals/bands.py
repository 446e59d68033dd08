"""By which interval each trial is judged: its space's, or one that moves to where adapters are accepted."""

from __future__ import annotations

from results.analysis.acceptance import AcceptanceModel, JudgedLoss
from results.run.ledger import History
from results.run.run_folder import RunFolder
from search.proposals.prior_runs import prior_losses
from spaces.band import Band
from spaces.draw import Draw, Objective
from spaces.records.trial import Outcome
from spaces.space import Space
from trainable.files.trial_folder import TrialFolder
from trainable.training.outcome import failed_share, training_advice


class BandTracker:
    """A trial keeps the band that it was given when it was drawn, also when it is cut off and goes on."""

    def __init__(self, space: Space, run: RunFolder, history: History) -> None:
        self._space, self._run = space, run
        self._base = history.base.verdict if history.base else None
        self._given = {trial: band for trial in history.drawn if (band := history.band_of(trial))}
        self._heard: dict[str, tuple[Objective, list[JudgedLoss]]] = {}
        for outcome in history.outcomes.values():
            self._hear(outcome)

    def band_for(self, trial: str, draw: Draw) -> Band:
        """By the verdicts known when it is first asked for; the same ever after."""
        if trial not in self._given:
            self._given[trial] = self.current_band(draw.objective)
        return self._given[trial]

    def trial_ended(self, trial: str) -> None:
        """The trial has ended; what its folder says of it counts from here on."""
        outcome = TrialFolder(self._run.trial(trial)).read_outcome()
        if outcome is not None:
            self._hear(outcome)

    def current_band(self, objective: Objective) -> Band:
        """What a trial that were drawn now would get."""
        start = self._space.band(objective)
        if not self._space.is_auto(objective):
            return start
        heard = prior_losses(self._space, objective)
        heard += [each for of, verdicts in self._heard.values() if of is objective for each in verdicts]
        return AcceptanceModel(heard, start).band()

    def _hear(self, outcome: Outcome) -> None:
        if outcome.draw is None:
            return
        base = failed_share(self._base) if self._base else None
        probed = ((outcome.kept, outcome.verdict), (outcome.other_kept, outcome.other_verdict))
        verdicts = [
            JudgedLoss(kept.loss, verdict.accepted, training_advice(verdict, base))
            for kept, verdict in probed
            if kept and verdict
        ]
        self._heard[outcome.trial] = outcome.draw.objective, verdicts
