"""The band of each trial: the space's own, or one that moves to the losses at which adapters are accepted."""

from collections.abc import Iterator
from dataclasses import dataclass

from results.analysis.acceptance import AcceptanceModel, JudgedLoss
from results.analysis.advice import band_remedy
from results.run.ledger import History
from search.proposals.prior_runs import prior_losses
from spaces.band import Band
from spaces.draw import Draw
from spaces.records.losses import BaseLoss
from spaces.records.trial import Ending, Outcome
from spaces.space import Space
from trainable.training.outcome import failed_share, overshot_at_once, training_advice

LOWERED_AFTER = 3
"""Trials in a row that overshot at their first settled point. One or two may be due to their learning rates."""

LOWERED_TO = 0.7
"""The interval then begins at this share of the lowest of their losses: published runs went down to 0.73 of the loss
at which they began, see spaces/voice.toml."""


@dataclass(frozen=True)
class _Ended:
    """What later bands depend on of an ended trial."""

    objective: str
    verdicts: tuple[JudgedLoss, ...]
    overshot_at: float | None
    """The loss of its first settled point, if it had overshot there."""


class BandTracker:
    """Gives each trial a band when it is drawn, if its objective has one. The trial keeps it, also after it was
    interrupted."""

    def __init__(self, space: Space, history: History | None = None) -> None:
        """`space` with the bands of this voice, see `Space.with_base`."""
        history = history or History()
        self._space = space
        self._base = history.base.verdict if history.base else None
        self._base_losses = history.base.base_losses if history.base else None
        self._bands: dict[str, Band | None] = {
            trial: band for trial in history.drawn if (band := history.band_of(trial))
        }
        self._ended: dict[str, _Ended] = {}
        """In the order in which trials ended."""
        self._told: set[str] = set()
        self._has_news = False
        for outcome in history.outcomes.values():
            self.add(outcome)

    def band_for(self, trial: str, draw: Draw) -> Band | None:
        """From the verdicts known at the first call for this trial."""
        if trial not in self._bands:
            self._bands[trial] = self.current_band(draw.objective)
        return self._bands[trial]

    def base_loss(self, objective: str) -> BaseLoss | None:
        """Where the trials of an objective begin; None where it was not measured."""
        return self._base_losses.of(objective) if self._base_losses else None

    def add(self, outcome: Outcome) -> None:
        """Adds an ended trial to those that later bands depend on."""
        if outcome.draw is None or outcome.ending in (Ending.CANCELLED, Ending.FAILED):
            return
        base = failed_share(self._base) if self._base else None
        probed = ((outcome.kept, outcome.verdict), (outcome.other_kept, outcome.other_verdict))
        verdicts = [
            JudgedLoss(kept.loss, verdict.accepted, training_advice(verdict, base))
            for kept, verdict in probed
            if kept and verdict
        ]
        overshot_at = outcome.point.loss if outcome.point and overshot_at_once(outcome) else None
        self._has_news = True
        self._ended[outcome.trial] = _Ended(outcome.draw.objective, tuple(verdicts), overshot_at)

    def current_band(self, objective: str) -> Band | None:
        """The band of a trial drawn now."""
        start = self._start(objective)
        if start is None or not self._space.is_auto(objective):
            return start
        judged = prior_losses(self._space, objective)
        for ended in self._of(objective):
            judged += ended.verdicts
        return AcceptanceModel(judged, start).band()

    def notices(self) -> list[str]:
        """What the trials have shown about the bands, each sentence once."""
        if not self._has_news:
            return []
        self._has_news = False
        new = [line for line in map(self._notice, self._space.objectives) if line and line not in self._told]
        self._told.update(new)
        return new

    def _start(self, objective: str) -> Band | None:
        """The interval that a moving band moves in, lowered as often as three trials in a row overshot it at once; any
        other band as it is."""
        start = self._space.band(objective)
        if start is None or not self._space.is_auto(objective):
            return start
        base = self.base_loss(objective)
        while (losses := self._row_below(start, objective)) is not None:
            start = _lowered(start, losses, base)
        return start

    def _row_below(self, band: Band, objective: str) -> list[float] | None:
        """The losses of the first three trials in a row that overshot this band at once; None where there are none."""
        row: list[float] = []
        for ended in self._of(objective):
            below = ended.overshot_at is not None and ended.overshot_at < band.low
            row = [*row, ended.overshot_at] if below and ended.overshot_at is not None else []
            if len(row) == LOWERED_AFTER:
                return row
        return None

    def _notice(self, objective: str) -> str | None:
        band, base = self._space.band(objective), self.base_loss(objective)
        if band is None or self._row_below(band, objective) is None:
            return None
        trials = f"{LOWERED_AFTER} {objective} trials in a row were below the band {band} as soon as it counted"
        if self._space.is_auto(objective):
            return f"{trials}: it now moves within {self._start(objective)}"
        if base is None or base.mean > band.high:
            return None
        return (
            f"{trials}: it lies at or above where this voice begins, {base.mean:.3f}. They are probed all the same; "
            f"for a band that fits the voice, {band_remedy(objective)}"
        )

    def _of(self, objective: str) -> Iterator[_Ended]:
        return (ended for ended in self._ended.values() if ended.objective == objective)


def _lowered(start: Band, losses: list[float], base: BaseLoss | None) -> Band:
    """The interval extended below these losses, and without the part above the base model's loss, which no training
    passes through."""
    high = start.high if base is None else max(*losses, min(start.high, base.mean))
    return Band(low=LOWERED_TO * min(losses), high=high)
