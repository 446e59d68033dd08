"""Predicts when a draw's loss enters its band, from the curves of other runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search.proposals.screening import Prospect
from spaces.band import Band
from spaces.draw import Draw
from spaces.prior_runs import PriorRun, Slope
from spaces.records.trial import Point
from trainable.stopping.curve import FIRST_PASS_CLIPS
from trainable.training.epoch_order import steps_per_epoch
from trainable.training.lr_schedule import effective_steps

CONSTANT, OTHER_VOICE = (0.0, 8.0), (0.0, 0.5)
"""Prior mean and standard deviation of coefficients of log(effective steps to the crossing), beside those of the
family's hyperparameters. Nothing is known of the constant. The other is by how much all other voices differ from this
one."""

NOISE = 0.25
"""Prior standard deviation of that logarithm from run to run."""

NOISE_RUNS = 4.0
"""The weight of that prior, in runs."""

BEND = 0.5
"""A loss does not fall in a straight line: standard deviation of a scaled crossing per unit of log(scaling)."""

LEAST_FALL = 0.1
"""Nats by which a loss must have fallen before it is extrapolated to the band."""

MARGIN = 1.0
"""A draw is worth starting if its crossing lies within its epochs, give or take this many standard deviations."""


@dataclass(frozen=True)
class _Observation:
    """What one run says about log(effective steps to the crossing)."""

    features: np.ndarray
    value: float
    noise: float
    """Standard deviation of this observation, in addition to NOISE."""
    side: int
    """0 if the value is the crossing itself, 1 if it is a lower bound, -1 if it is an upper bound."""


@dataclass(frozen=True)
class _ObservedRun:
    """The curve of one run. `steps` and `losses`: [points]; `start`: the loss before the first step, if known."""

    objective: str
    features: np.ndarray
    epoch_steps: int
    steps: np.ndarray
    """Effective optimizer steps: each counts by its share of the full learning rate."""
    losses: np.ndarray
    start: float | None

    def observe(self, level: float) -> _Observation:
        """When this run crossed the loss `level`, extrapolated if it fell far enough, otherwise as a bound."""
        below = np.flatnonzero(self.losses <= level)
        at = int(below[0]) if below.size else len(self.losses) - 1
        steps, loss = _without_lag(self.steps[at], self.epoch_steps), float(self.losses[at])
        value, side = math.log(max(steps, 0.25)), -1 if below.size else 1
        if self.start is None or self.start - loss < LEAST_FALL or self.start - level < LEAST_FALL:
            return _Observation(self.features, value, 0.0, side)
        scaling = math.log((self.start - level) / (self.start - loss))
        return _Observation(self.features, value + scaling, BEND * abs(scaling), 0)


class CrossingModel:
    """Bayesian linear regression of log(effective steps to the crossing) on the logarithms of the family's
    hyperparameters, one per objective. Effective steps are optimizer steps at the full learning rate.

    A run that did not reach the band is extrapolated from how far it fell, or gives a lower bound. Bounds enter by
    moment matching (assumed density filtering, Minka 2001, chapter 3).
    """

    def __init__(self, clips: int, slopes: Mapping[str, Slope], evidence: Sequence[PriorRun] = ()) -> None:
        """`clips` is the number in an epoch of this dataset, `evidence` are runs on other datasets. `slopes` has the
        fields of draws and evidence that count."""
        self._clips, self._slopes = clips, slopes
        self._runs: list[_ObservedRun] = []
        self._fits: dict[tuple[str, float], tuple[np.ndarray, np.ndarray, float]] = {}
        for prior in evidence:
            epoch_steps = steps_per_epoch(prior.clips, prior.clips_per_step)
            steps, losses = np.array([prior.epochs * epoch_steps]), np.array([prior.loss])
            features = self._features(prior, is_other_voice=True)
            self._runs.append(_ObservedRun(prior.objective, features, epoch_steps, steps, losses, prior.start))

    def learn(self, draw: Draw, curve: Sequence[Point]) -> None:
        """Adds a run of this dataset, unless it took no step or diverged."""
        settled = [point for point in curve if point.step > 0 and point.clips >= min(self._clips, FIRST_PASS_CLIPS)]
        if not settled or curve[0].step != 0 or not all(math.isfinite(point.loss) for point in curve):
            return
        epoch_steps = steps_per_epoch(self._clips, draw.clips_per_step)
        effective = effective_steps(draw, epoch_steps * draw.epochs)
        losses = np.array([point.loss for point in settled])
        # A loss counts as reached only if the next point is as low.
        sustained = np.maximum(losses, np.append(losses[1:], losses[-1]))
        features = self._features(draw)
        steps = np.array([effective(point.step) for point in settled])
        self._fits.clear()
        self._runs.append(_ObservedRun(draw.objective, features, epoch_steps, steps, sustained, curve[0].loss))

    def crossing(self, draw: Draw, band: Band) -> tuple[float, float]:
        """log(effective steps until the loss is within the band's aim), and its standard deviation."""
        key = draw.objective, band.aim[1]
        if key not in self._fits:
            self._fits[key] = self._fit(*key)
        mean, covariance, noise = self._fits[key]
        features = self._features(draw)
        return float(features @ mean), math.sqrt(float(features @ covariance @ features) + noise**2)

    def prospect(self, draw: Draw, band: Band) -> Prospect:
        """Compares the crossing with the draw's epochs, in log(effective steps). A crossing in the first quarter of an
        epoch is too early: the loss would fall through the band unnoticed."""
        log_steps, deviation = self.crossing(draw, band)
        epoch_steps = steps_per_epoch(self._clips, draw.clips_per_step)
        last_step = epoch_steps * draw.epochs
        latest = _without_lag(effective_steps(draw, last_step)(last_step), epoch_steps)
        late = log_steps - MARGIN * deviation - math.log(latest)
        early = math.log(epoch_steps / 4) - log_steps - MARGIN * deviation
        epochs = min(draw.epochs, math.exp(min(log_steps, math.log(latest))) / epoch_steps)
        return Prospect(max(0.0, late, early), epochs)

    def _fit(self, objective: str, level: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Mean and covariance of the coefficients, and the standard deviation from run to run."""
        observations = [run.observe(level) for run in self._runs if run.objective == objective]
        exact = [each for each in observations if each.side == 0]
        bounds = [each for each in observations if each.side]
        noise = NOISE
        for _ in range(2):
            prior = np.array([CONSTANT, *((each.mean, each.deviation) for each in self._slopes.values()), OTHER_VOICE])
            mean, covariance = prior[:, 0], np.diag(prior[:, 1] ** 2)
            for observation in exact + bounds:
                mean, covariance = _updated(mean, covariance, observation, noise)
            residual = sum((each.value - each.features @ mean) ** 2 / (1 + (each.noise / NOISE) ** 2) for each in exact)
            noise = math.sqrt((NOISE_RUNS * NOISE**2 + residual) / (NOISE_RUNS + len(exact)))
        return mean, covariance, noise

    def _features(self, run: Draw | PriorRun, is_other_voice: bool = False) -> np.ndarray:
        """Centred on a usual draw, so that the constant is uncorrelated with the slopes in the prior. Shape:
        [slopes + 2]."""
        logs = [math.log(getattr(run, name) / slope.centre) for name, slope in self._slopes.items()]
        return np.array([1.0, *logs, float(is_other_voice)])


def _updated(
    mean: np.ndarray, covariance: np.ndarray, observation: _Observation, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the coefficients after one more observation."""
    gain = covariance @ observation.features
    variance = float(observation.features @ gain) + noise**2 + observation.noise**2
    gap = observation.value - float(observation.features @ mean)
    if observation.side == 0:
        return mean + gain * gap / variance, covariance - np.outer(gain, gain) / variance
    deviation = math.sqrt(variance)
    away = -observation.side * gap / deviation
    hazard = _hazard(away)
    shrink = hazard * (hazard + away) / variance
    return mean + gain * observation.side * hazard / deviation, covariance - np.outer(gain, gain) * shrink


def _hazard(away: float) -> float:
    """Density over distribution function of the standard normal at `away`. Below -8 both are too small to divide, and
    the asymptotic series is used."""
    if away < -8:
        return -away + 1 / -away
    return math.exp(-(away**2) / 2) / math.sqrt(2 * math.pi) / (0.5 * math.erfc(-away / math.sqrt(2)))


def _without_lag(steps: float, epoch_steps: int) -> float:
    """A curve's loss is the mean over its last epoch (or over all steps so far), so it is that of half an epoch ago."""
    return steps - min(steps, epoch_steps) / 2
