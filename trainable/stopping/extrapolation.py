"""At which step a curve crosses into its band, foretold from its first points, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spaces.records.trial import Point
from trainable.stopping.curve import FIRST_PASS_CLIPS

EffectiveSteps = Callable[[int], float]
"""What a run has learned from after so many steps, in steps at the full learning rate: the step itself where the rate
is constant. Told by it, a warm-up is no slow start, and a falling rate no floor."""

SPEED_UP = 2.0
"""At low learning rates a curve starts slowly and falls faster then, so a bound lets it. It is raised by 1/epochs: the
first epoch alone says less of what is to come."""

CONFIDENCE = 0.995
"""How much of what is possible lies on the near side of a bound."""

POINTS_PER_EPOCH = 4
MAX_POINTS = 48
MIN_POINTS = 5
"""Below that, three coefficients and a noise are guesses."""

DECAY_RATES = (0.0, 1.0, 3.0, 9.0)
"""Rates of decay that are tried, per span of the curve so far; 0 is a straight line."""

PRIOR_NOISE = 0.3
"""By how much the losses of clips differ, in nats, before a curve has shown it."""

PRIOR_NOISE_POINTS = 3.0
"""So many points of a curve weigh as much as that."""

WITHIN_CLIP_VARIANCE = 1 / 16
"""Variance of one clip's loss from epoch to epoch over that between clips."""

EXTRA_VARIANCES = (0.0, 1 / 16)
"""Variances over that between clips that are tried for what a window does not smooth."""

MIN_EXTRA_VARIANCE = 1e-5
"""Added in any case: windows that hold the same clips would make the noise singular."""

SPIKE_NATS = 0.3
"""So many nats beside two neighbours that agree, a loss is no part of the course."""

PRIOR_COEFFICIENT = 3.0
"""Nats that a coefficient may easily be."""

SAMPLES = 256
"""Possible courses that are drawn from each fit, always by the same chances."""


@dataclass(frozen=True)
class CrossingForecast:
    """Optimizer steps; infinite where the curve does not get there within its last step."""

    earliest: float
    """An optimistic bound: of all courses that the points allow, nearly the fastest, sped up by HOPE from here on."""
    expected: float
    latest: float


def predict_crossing(
    curve: Sequence[Point], high: float, clips: int, last_step: int, exposure: EffectiveSteps = float
) -> CrossingForecast | None:
    """When the curve's loss will be `high` or less; None while nothing can be said.

    That is with fewer than five points, with a point that is not finite, or where the curve's beginning is missing.
    `clips` in an epoch. The loss is taken to be c + a·exp(−k·x) + b·x in the exposure x, seen through the curve's own
    window. That is a decay towards a floor or, with a negative a, a slow start. For each of a few k, and of a few kinds
    of noise, the coefficients are fitted by Bayesian linear regression under a normal–inverse-gamma prior (Murphy 2012,
    section 7.6.3), and each fit counts by its marginal likelihood.
    """
    if curve[0].step != 0 or not all(math.isfinite(point.loss) for point in curve):
        return None
    points = _thinned(_without_spikes(curve))
    if len(points) < MIN_POINTS:
        return None
    course = _Course(points, clips, last_step, exposure)
    return course.crossing(high)


class _Course:
    """What the points allow the rest of a curve to be."""

    def __init__(self, points: Sequence[Point], clips: int, last_step: int, exposure: EffectiveSteps) -> None:
        now = points[-1]
        self._now, self._last_step, self._epoch = now.step, last_step, now.epoch
        self._epoch_steps = max(1, round(now.step / now.epoch))
        self._exposures = np.array([exposure(step) for step in range(max(last_step, now.step) + 1)])
        self._span = max(self._exposures[now.step], 1e-9)
        losses = np.array([point.loss for point in points])
        self._start = losses[0]
        steps = np.array([point.step for point in points])
        sampled = _covariance(points, clips)
        self._fits = []
        for ragged in EXTRA_VARIANCES:
            cholesky = np.linalg.cholesky(sampled + np.eye(len(points)) * (ragged + MIN_EXTRA_VARIANCE))
            logarithm = float(np.log(np.diag(cholesky)).sum())
            whitened = np.linalg.solve(cholesky, losses - self._start)
            for curvature in DECAY_RATES:
                seen = np.linalg.solve(cholesky, self._seen(steps, curvature))
                self._fits.append(_fit(curvature, seen, whitened, logarithm))

    def crossing(self, high: float) -> CrossingForecast:
        ahead = np.unique(np.linspace(self._now, max(self._last_step, self._now), 129).astype(int))
        evidence = np.array([fit.evidence for fit in self._fits])
        weights = np.exp(evidence - evidence.max())
        weights = np.repeat(weights / weights.sum() / SAMPLES, SAMPLES)
        own, level, pace = [], [], []
        for fit in self._fits:
            drawn = fit.drawn()
            courses = drawn @ self._seen(ahead, fit.curvature).T + self._start
            own.append(self._first_below(courses, ahead, high))
            level.append(courses[:, 0])
            pace.append(self._pace(drawn, fit.curvature))
        own, level, pace = np.concatenate(own), np.concatenate(level), np.concatenate(pace)
        hope = (SPEED_UP * (1 + 1 / self._epoch) - 1) * max(0.0, float(weights @ pace))
        learned = self._exposures[ahead] - self._exposures[self._now]
        hoped = level[:, None] - np.maximum(0.0, pace + hope)[:, None] * learned
        soonest = np.minimum(own, self._first_below(hoped, ahead, high))
        return CrossingForecast(
            earliest=_quantile(soonest, weights, 1 - CONFIDENCE),
            expected=_quantile(own, weights, 0.5),
            latest=_quantile(own, weights, CONFIDENCE),
        )

    def _pace(self, drawn: np.ndarray, curvature: float) -> np.ndarray:
        """How fast each course has fallen over the last half epoch, in nats per step at the full learning rate."""
        before = max(0, self._now - max(1, self._epoch_steps // 2))
        here, there = (drawn @ self._seen(np.array([step]), curvature)[0] for step in (self._now, before))
        return (there - here) / max(self._exposures[self._now] - self._exposures[before], 1e-9)

    def _first_below(self, courses: np.ndarray, ahead: np.ndarray, high: float) -> np.ndarray:
        below = courses <= high
        return np.where(below.any(axis=1), ahead[below.argmax(axis=1)], math.inf)

    def _seen(self, steps: np.ndarray, curvature: float) -> np.ndarray:
        """The three parts of the course at these steps, as the curve's window shows them, shape [steps, 3 or 2]."""
        at = self._exposures / self._span
        parts = [np.ones_like(at), at] + ([np.exp(-curvature * at)] if curvature else [])
        summed = np.cumsum([np.concatenate([[0.0], part]) for part in parts], axis=1)
        begin = np.maximum(0, steps - self._epoch_steps)
        window = np.maximum(1, steps - begin)
        means = (summed[:, np.maximum(steps, 1)] - summed[:, begin]) / window
        return means.T


@dataclass(frozen=True)
class _Fit:
    """Normal–inverse-gamma posterior of the coefficients under one curvature."""

    curvature: float
    mean: np.ndarray
    precision: np.ndarray
    shape: float
    scale: float
    evidence: float
    """Logarithm of the marginal likelihood, but for what all fits share."""

    def drawn(self) -> np.ndarray:
        """Coefficients, shape [DRAWS, coefficients]."""
        chance = np.random.default_rng(0)
        noise = np.sqrt(self.scale / chance.gamma(self.shape, size=(SAMPLES, 1)))
        standard = chance.standard_normal((SAMPLES, len(self.mean)))
        return self.mean + noise * np.linalg.solve(np.linalg.cholesky(self.precision).T, standard.T).T


def _fit(curvature: float, seen: np.ndarray, losses: np.ndarray, logarithm: float) -> _Fit:
    """`seen` and `losses` with their noise made white, by a factor whose determinant has that logarithm."""
    prior = np.eye(seen.shape[1]) * (PRIOR_NOISE / PRIOR_COEFFICIENT) ** 2
    precision = prior + seen.T @ seen
    mean = np.linalg.solve(precision, seen.T @ losses)
    shape = (PRIOR_NOISE_POINTS + len(losses)) / 2
    left_over = max(0.0, float(losses @ losses - mean @ precision @ mean))
    scale = (PRIOR_NOISE_POINTS * PRIOR_NOISE**2 + left_over) / 2
    determinants = np.linalg.slogdet(prior)[1] - np.linalg.slogdet(precision)[1]
    return _Fit(curvature, mean, precision, shape, scale, determinants / 2 - logarithm - shape * math.log(scale))


def _thinned(curve: Sequence[Point]) -> list[Point]:
    """Those that begin a quarter of an epoch, and the latest; fewer of a long curve."""
    kept, quarter = [], -1
    for point in curve:
        if math.floor(point.epoch * POINTS_PER_EPOCH + 1e-9) > quarter:
            quarter = math.floor(point.epoch * POINTS_PER_EPOCH + 1e-9)
            kept.append(point)
    if kept[-1].step != curve[-1].step:
        kept.append(curve[-1])
    if len(kept) <= MAX_POINTS:
        return kept
    return [kept[at] for at in np.unique(np.linspace(0, len(kept) - 1, MAX_POINTS).round().astype(int))]


def _without_spikes(curve: Sequence[Point]) -> list[Point]:
    """A point far from both of its neighbours, while they are near each other, takes their mean."""
    smooth = list(curve)
    for at in range(1, len(curve) - 1):
        before, after = curve[at - 1].loss, curve[at + 1].loss
        middle = (before + after) / 2
        if abs(curve[at].loss - middle) > 2 * abs(before - after) + SPIKE_NATS:
            smooth[at] = curve[at].model_copy(update={"loss": middle})
    return smooth


def _covariance(points: Sequence[Point], clips: int) -> np.ndarray:
    """Of the points' noise, in units of the variance between clips.

    Every clip comes once in an epoch, in an order of its own: sums over a part of an epoch differ by which clips it
    held (the covariance of draws without replacement, a bridge), those over whole epochs only by what one clip varies.
    """
    windows = [_window(point, clips) for point in points]
    covariance = np.empty((len(points), len(points)))
    for row, one in enumerate(windows):
        for column, other in enumerate(windows):
            covariance[row, column] = _shared(one, other, clips, column != row and 0 in (row, column))
    return covariance


def _window(point: Point, clips: int) -> tuple[int, int]:
    """The clips that the point is a mean of, as they were counted."""
    return (0, min(FIRST_PASS_CLIPS, clips)) if point.clips == 0 else (max(0, point.clips - clips), point.clips)


def _shared(one: tuple[int, int], other: tuple[int, int], clips: int, apart: bool) -> float:
    """Covariance of two windows' means. `apart` where the clips they share were seen in different passes."""
    both = _overlap(one, other)
    total = 0.0 if apart else WITHIN_CLIP_VARIANCE * both
    for epoch in range(max(one[0], other[0]) // clips, (min(one[1], other[1]) - 1) // clips + 1):
        whole = (epoch * clips, (epoch + 1) * clips)
        in_epoch = _overlap(_cut(one, whole), _cut(other, whole))
        total += in_epoch - _overlap(one, whole) * _overlap(other, whole) / clips
    return total / ((one[1] - one[0]) * (other[1] - other[0]))


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> int:
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def _cut(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return max(one[0], other[0]), min(one[1], other[1])


def _quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    order = np.argsort(values)
    at = np.searchsorted(np.cumsum(weights[order]), share)
    return float(values[order][min(at, len(values) - 1)])
