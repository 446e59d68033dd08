"""The band of each trial: the space's own, or one that moves to the losses at which adapters are accepted."""

from results.analysis.acceptance import AcceptanceModel, JudgedLoss
from results.run.ledger import History
from search.proposals.prior_runs import prior_losses
from spaces.band import Band
from spaces.draw import Draw
from spaces.records.trial import Outcome
from spaces.space import Space
from trainable.training.outcome import failed_share, training_advice


class BandTracker:
    """Gives each trial a band when it is drawn, if its objective has one. The trial keeps it, also after it was
    interrupted."""

    def __init__(self, space: Space, history: History | None = None) -> None:
        history = history or History()
        self._space = space
        self._base = history.base.verdict if history.base else None
        self._bands: dict[str, Band | None] = {
            trial: band for trial in history.drawn if (band := history.band_of(trial))
        }
        self._verdicts: dict[str, tuple[str, list[JudgedLoss]]] = {}
        for outcome in history.outcomes.values():
            self.add(outcome)

    def band_for(self, trial: str, draw: Draw) -> Band | None:
        """From the verdicts known at the first call for this trial."""
        if trial not in self._bands:
            self._bands[trial] = self.current_band(draw.objective)
        return self._bands[trial]

    def add(self, outcome: Outcome) -> None:
        """Adds the verdicts of an ended trial to those that later bands depend on."""
        if outcome.draw is None:
            return
        base = failed_share(self._base) if self._base else None
        probed = ((outcome.kept, outcome.verdict), (outcome.other_kept, outcome.other_verdict))
        verdicts = [
            JudgedLoss(kept.loss, verdict.accepted, training_advice(verdict, base))
            for kept, verdict in probed
            if kept and verdict
        ]
        self._verdicts[outcome.trial] = outcome.draw.objective, verdicts

    def current_band(self, objective: str) -> Band | None:
        """The band of a trial drawn now."""
        start = self._space.band(objective)
        if start is None or not self._space.is_auto(objective):
            return start
        judged = prior_losses(self._space, objective)
        for trial_objective, verdicts in self._verdicts.values():
            judged += verdicts if trial_objective == objective else []
        return AcceptanceModel(judged, start).band()
