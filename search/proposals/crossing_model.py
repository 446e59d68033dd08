"""When a draw would cross into its band, foretold from how others fell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.proposals.sampler import Prospect
from spaces.band import Band
from spaces.draw import Draw, Objective
from spaces.prior_runs import PriorRun
from spaces.records.trial import Point
from trainable.stopping.curve import FIRST_PASS_CLIPS
from trainable.training.epoch_order import steps_per_epoch
from trainable.training.lr_schedule import effective_steps

SLOPES = ((0.0, 8.0), (-1.0, 0.3), (-0.8, 0.4), (-0.4, 0.4), (0.0, 0.5))
"""Mean and standard deviation, before any run was seen, of the coefficients of log(exposure to the crossing): nothing
is known of the constant; twice the learning rate needs half the steps, and so, less surely, does twice α/r. With α/r
given, more rank is a little faster: the best rate hardly depends on rank at equal α (LoRA Without Regret, Schulman
2025). The last is by how much other voices differ from this one, all of them alike."""

NOISE = 0.25
"""Standard deviation of that logarithm from run to run, before it has been seen."""

NOISE_RUNS = 4.0
"""So many runs weigh as much as that."""

BEND = 0.5
"""A descent is no straight line: so uncertain is a crossing per unit of log(scaling) that it was scaled by."""

LEAST_FALL = 0.1
"""Nats that a run must have fallen for its pace to say when it would have crossed."""

MARGIN = 1.0
"""A draw is worth starting when its crossing lies within its epochs by so many standard deviations' grace."""


@dataclass(frozen=True)
class _Observation:
    """What one run says of log(exposure to the crossing)."""

    features: np.ndarray
    value: float
    noise: float
    """Standard deviation that is its own, besides NOISE."""
    side: int
    """0 when it crossed there, 1 when it did later than that, -1 when earlier."""


@dataclass(frozen=True)
class _ObservedRun:
    """One run: its loss after so much exposure, and where it started from; None where nobody wrote that down."""

    objective: Objective
    features: np.ndarray
    epoch_steps: int
    exposures: np.ndarray
    losses: np.ndarray
    start: float | None

    def sight(self, level: float) -> _Observation:
        below = np.flatnonzero(self.losses <= level)
        at = int(below[0]) if below.size else len(self.losses) - 1
        exposure, loss = _unlagged(self.exposures[at], self.epoch_steps), float(self.losses[at])
        value, side = math.log(max(exposure, 0.25)), -1 if below.size else 1
        if self.start is None or self.start - loss < LEAST_FALL or self.start - level < LEAST_FALL:
            return _Observation(self.features, value, 0.0, side)
        scaling = math.log((self.start - level) / (self.start - loss))
        return _Observation(self.features, value + scaling, BEND * abs(scaling), 0)


class CrossingModel:
    """Bayesian linear regression of log(exposure to the crossing) on the logarithms of LoRA rate, α/r and rank, one per
    objective; exposure is in optimizer steps at the full learning rate.

    A run that did not get as far as the band is scaled by how far it got, or says that its crossing is later; each such
    bound is taken in by matching moments (assumed density filtering, Minka 2001, chapter 3).
    """

    def __init__(self, clips: int, evidence: Sequence[PriorRun] = ()) -> None:
        """`clips` in an epoch of the dataset that is searched; the evidence may be of others."""
        self._clips = clips
        self._seen: list[_ObservedRun] = []
        self._fits: dict[tuple[Objective, float], tuple[np.ndarray, np.ndarray, float]] = {}
        for tested in evidence:
            epoch_steps = steps_per_epoch(tested.clips, tested.clips_per_step)
            exposures = np.array([tested.epochs * epoch_steps])
            features = _features(tested.lora_lr, tested.alpha_ratio, tested.rank, elsewhere=True)
            seen = _ObservedRun(
                tested.objective, features, epoch_steps, exposures, np.array([tested.loss]), tested.start
            )
            self._seen.append(seen)

    def learn(self, draw: Draw, curve: Sequence[Point]) -> None:
        """Of a run of this dataset. Nothing is learned of one that never took a step, or that diverged."""
        settled = [point for point in curve if point.step > 0 and point.clips >= min(self._clips, FIRST_PASS_CLIPS)]
        if not settled or curve[0].step != 0 or not all(math.isfinite(point.loss) for point in curve):
            return
        epoch_steps = steps_per_epoch(self._clips, draw.clips_per_step)
        exposure = effective_steps(draw, epoch_steps * draw.epochs)
        losses = np.array([point.loss for point in settled])
        # A loss counts as reached when the next one is there too.
        sustained = np.maximum(losses, np.append(losses[1:], losses[-1]))
        features = _features(draw.lora_lr, draw.alpha_ratio, draw.rank)
        exposures = np.array([exposure(point.step) for point in settled])
        self._fits.clear()
        self._seen.append(_ObservedRun(draw.objective, features, epoch_steps, exposures, sustained, curve[0].loss))

    def crossing(self, draw: Draw, band: Band) -> tuple[float, float]:
        """log(exposure until the curve is within the band's aim), and its standard deviation."""
        asked = draw.objective, band.aim[1]
        if asked not in self._fits:
            self._fits[asked] = self._fit(*asked)
        mean, spread, noise = self._fits[asked]
        features = _features(draw.lora_lr, draw.alpha_ratio, draw.rank)
        return float(features @ mean), math.sqrt(float(features @ spread @ features) + noise**2)

    def prospect(self, draw: Draw, band: Band) -> Prospect:
        """Whether the crossing lies within what the draw's epochs allow, in logarithms of exposure. One within the
        first quarter of an epoch is too soon: nobody would see the band."""
        log_exposure, deviation = self.crossing(draw, band)
        epoch_steps = steps_per_epoch(self._clips, draw.clips_per_step)
        last_step = epoch_steps * draw.epochs
        latest = _unlagged(effective_steps(draw, last_step)(last_step), epoch_steps)
        late = log_exposure - MARGIN * deviation - math.log(latest)
        early = math.log(epoch_steps / 4) - log_exposure - MARGIN * deviation
        epochs = min(draw.epochs, math.exp(min(log_exposure, math.log(latest))) / epoch_steps)
        return Prospect(max(0.0, late, early), epochs)

    def _fit(self, objective: Objective, level: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Mean and covariance of the coefficients, and the standard deviation from run to run."""
        sights = [seen.sight(level) for seen in self._seen if seen.objective is objective]
        exact = [sight for sight in sights if sight.side == 0]
        noise = NOISE
        for _ in range(2):
            mean, spread = np.array(SLOPES)[:, 0], np.diag(np.array(SLOPES)[:, 1] ** 2)
            for sight in exact + [sight for sight in sights if sight.side]:
                mean, spread = _updated(mean, spread, sight, noise)
            left = sum((each.value - each.features @ mean) ** 2 / (1 + (each.noise / NOISE) ** 2) for each in exact)
            noise = math.sqrt((NOISE_RUNS * NOISE**2 + left) / (NOISE_RUNS + len(exact)))
        return mean, spread, noise


def _updated(mean: np.ndarray, spread: np.ndarray, sight: _Observation, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """The coefficients after one more run."""
    along = spread @ sight.features
    variance = float(sight.features @ along) + noise**2 + sight.noise**2
    gap = sight.value - float(sight.features @ mean)
    if sight.side == 0:
        return mean + along * gap / variance, spread - np.outer(along, along) / variance
    deviation = math.sqrt(variance)
    away = -sight.side * gap / deviation
    hazard = _hazard(away)
    shrink = hazard * (hazard + away) / variance
    return mean + along * sight.side * hazard / deviation, spread - np.outer(along, along) * shrink


def _hazard(away: float) -> float:
    """Density over distribution function of the standard normal; far below 0 they are too small to divide."""
    if away < -8:
        return -away + 1 / -away
    return math.exp(-(away**2) / 2) / math.sqrt(2 * math.pi) / (0.5 * math.erfc(-away / math.sqrt(2)))


def _features(lora_lr: float, alpha_ratio: float, rank: int, elsewhere: bool = False) -> np.ndarray:
    """About a usual draw, so that the prior of the constant is the same in every direction."""
    return np.array([1.0, math.log(lora_lr / 1e-5), math.log(alpha_ratio / 2), math.log(rank / 32), float(elsewhere)])


def _unlagged(exposure: float, epoch_steps: int) -> float:
    """A curve's loss is the mean over its last epoch: it is that of half an epoch ago, or of half of what there was."""
    return exposure - min(exposure, epoch_steps) / 2
