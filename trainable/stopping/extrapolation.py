"""Predicts at which step, at the earliest, a loss curve crosses into its band."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spaces.records.trial import Point
from trainable.stopping.curve import FIRST_PASS_CLIPS

EffectiveSteps = Callable[[int], float]
"""From a step to the sum of the learning rate factors before it: the step itself at a constant rate. As a function of
effective steps a curve shows neither the slow start of a warm-up nor the floor of a falling rate."""

SPEED_UP = 2.0
"""How much faster than so far the optimistic bound lets a curve fall: at low learning rates curves start slowly and
accelerate. It is raised by 1/epochs, because the first epoch alone says less about the rest."""

CONFIDENCE = 0.995
"""Share of the sampled courses on the near side of a bound."""

POINTS_PER_EPOCH = 4
MAX_POINTS = 48
MIN_POINTS = 5
"""With fewer points, three coefficients and a noise level cannot be estimated."""

DECAY_RATES = (0.0, 1.0, 3.0, 9.0)
"""Rates k that are tried, per span of the curve so far; 0 is a straight line."""

PRIOR_NOISE = 0.3
"""Standard deviation of the losses of clips, in nats, before a curve has shown it."""

PRIOR_NOISE_POINTS = 3.0
"""Number of points that the prior of the noise counts as."""

WITHIN_CLIP_VARIANCE = 1 / 16
"""Variance of one clip's loss from epoch to epoch, as a share of the variance between clips."""

EXTRA_VARIANCES = (0.0, 1 / 16)
"""Variances of noise that the curve's window does not smooth, over the variance between clips; each is tried."""

MIN_EXTRA_VARIANCE = 1e-5
"""Always added: windows over the same clips would make the covariance singular."""

SPIKE_NATS = 0.3
"""A loss so far from two neighbours that agree is a spike."""

PRIOR_COEFFICIENT = 3.0
"""Standard deviation of a coefficient, in nats, at the prior noise."""

SAMPLES = 256
"""Courses sampled from each fit, always with the same random numbers."""


def earliest_crossing(
    curve: Sequence[Point], high: float, clips: int, last_step: int, effective_steps: EffectiveSteps = float
) -> float | None:
    """The optimizer step before which the curve's loss hardly falls to `high`; infinite where it does not do so by its
    last step. `clips` is the number of clips in an epoch.

    The bound is optimistic: nearly the fastest of the courses that fit the points, sped up by SPEED_UP from here on.
    None with fewer than five points, with a point that is not finite, or where the curve's beginning is missing.

    The loss is modelled as c + a·exp(−k·x) + b·x in the effective steps x, averaged over the curve's own window: a
    decay towards a floor or, with a negative a, a slow start. For each of a few k and a few kinds of noise, the
    coefficients are fitted by Bayesian linear regression under a normal–inverse-gamma prior (Murphy 2012, section
    7.6.3). Each fit is weighted by its marginal likelihood.
    """
    if curve[0].step != 0 or not all(math.isfinite(point.loss) for point in curve):
        return None
    points = _thinned(_without_spikes(curve))
    if len(points) < MIN_POINTS:
        return None
    return _Extrapolation(points, clips, last_step, effective_steps).earliest_crossing(high)


class _Extrapolation:
    """The weighted fits to a curve's points."""

    def __init__(self, points: Sequence[Point], clips: int, last_step: int, effective_steps: EffectiveSteps) -> None:
        latest = points[-1]
        self._step, self._last_step, self._epoch = latest.step, last_step, latest.epoch
        self._epoch_steps = max(1, round(latest.step / latest.epoch))
        self._effective = np.array([effective_steps(step) for step in range(max(last_step, latest.step) + 1)])
        self._span = max(self._effective[latest.step], 1e-9)
        losses = np.array([point.loss for point in points])
        self._start = losses[0]
        steps = np.array([point.step for point in points])
        covariance = _covariance(points, clips)
        self._fits = []
        for extra in EXTRA_VARIANCES:
            cholesky = np.linalg.cholesky(covariance + np.eye(len(points)) * (extra + MIN_EXTRA_VARIANCE))
            log_determinant = float(np.log(np.diag(cholesky)).sum())
            whitened = np.linalg.solve(cholesky, losses - self._start)
            for decay in DECAY_RATES:
                design = np.linalg.solve(cholesky, self._design(steps, decay))
                self._fits.append(_fit(decay, design, whitened, log_determinant))

    def earliest_crossing(self, high: float) -> float:
        ahead = np.unique(np.linspace(self._step, max(self._last_step, self._step), 129).astype(int))
        evidence = np.array([fit.evidence for fit in self._fits])
        weights = np.exp(evidence - evidence.max())
        weights = np.repeat(weights / weights.sum() / SAMPLES, SAMPLES)
        crossings, levels, paces = [], [], []
        for fit in self._fits:
            coefficients = fit.sample()
            courses = coefficients @ self._design(ahead, fit.decay).T + self._start
            crossings.append(self._first_below(courses, ahead, high))
            levels.append(courses[:, 0])
            paces.append(self._pace(coefficients, fit.decay))
        crossing, level, pace = np.concatenate(crossings), np.concatenate(levels), np.concatenate(paces)
        extra_pace = (SPEED_UP * (1 + 1 / self._epoch) - 1) * max(0.0, float(weights @ pace))
        learned = self._effective[ahead] - self._effective[self._step]
        optimistic = level[:, None] - np.maximum(0.0, pace + extra_pace)[:, None] * learned
        earliest = np.minimum(crossing, self._first_below(optimistic, ahead, high))
        return _quantile(earliest, weights, 1 - CONFIDENCE)

    def _pace(self, coefficients: np.ndarray, decay: float) -> np.ndarray:
        """How fast each course has fallen over the last half epoch, in nats per effective step."""
        before = max(0, self._step - max(1, self._epoch_steps // 2))
        here, there = (coefficients @ self._design(np.array([step]), decay)[0] for step in (self._step, before))
        return (there - here) / max(self._effective[self._step] - self._effective[before], 1e-9)

    def _first_below(self, courses: np.ndarray, ahead: np.ndarray, high: float) -> np.ndarray:
        below = courses <= high
        return np.where(below.any(axis=1), ahead[below.argmax(axis=1)], math.inf)

    def _design(self, steps: np.ndarray, decay: float) -> np.ndarray:
        """The terms of the model at these steps, averaged over the curve's window: [steps, 3], or 2 without a decay."""
        x = self._effective / self._span
        terms = [np.ones_like(x), x] + ([np.exp(-decay * x)] if decay else [])
        summed = np.cumsum([np.concatenate([[0.0], term]) for term in terms], axis=1)
        begin = np.maximum(0, steps - self._epoch_steps)
        window = np.maximum(1, steps - begin)
        means = (summed[:, np.maximum(steps, 1)] - summed[:, begin]) / window
        return means.T


@dataclass(frozen=True)
class _Fit:
    """Normal–inverse-gamma posterior of the coefficients under one decay rate."""

    decay: float
    mean: np.ndarray
    precision: np.ndarray
    shape: float
    scale: float
    evidence: float
    """Logarithm of the marginal likelihood, up to a constant that all fits share."""

    def sample(self) -> np.ndarray:
        """[SAMPLES, coefficients]."""
        rng = np.random.default_rng(0)
        noise = np.sqrt(self.scale / rng.gamma(self.shape, size=(SAMPLES, 1)))
        standard = rng.standard_normal((SAMPLES, len(self.mean)))
        return self.mean + noise * np.linalg.solve(np.linalg.cholesky(self.precision).T, standard.T).T


def _fit(decay: float, design: np.ndarray, losses: np.ndarray, log_determinant: float) -> _Fit:
    """`design` and `losses` are whitened by a factor whose determinant has that logarithm."""
    prior = np.eye(design.shape[1]) * (PRIOR_NOISE / PRIOR_COEFFICIENT) ** 2
    precision = prior + design.T @ design
    mean = np.linalg.solve(precision, design.T @ losses)
    shape = (PRIOR_NOISE_POINTS + len(losses)) / 2
    residual = max(0.0, float(losses @ losses - mean @ precision @ mean))
    scale = (PRIOR_NOISE_POINTS * PRIOR_NOISE**2 + residual) / 2
    determinants = np.linalg.slogdet(prior)[1] - np.linalg.slogdet(precision)[1]
    return _Fit(decay, mean, precision, shape, scale, determinants / 2 - log_determinant - shape * math.log(scale))


def _thinned(curve: Sequence[Point]) -> list[Point]:
    """The first point of each quarter of an epoch, and the latest point; at most MAX_POINTS."""
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
    """Replaces a loss that is far from both neighbours by their mean, where the neighbours are close to each other."""
    smooth = list(curve)
    for at in range(1, len(curve) - 1):
        before, after = curve[at - 1].loss, curve[at + 1].loss
        middle = (before + after) / 2
        if abs(curve[at].loss - middle) > 2 * abs(before - after) + SPIKE_NATS:
            smooth[at] = curve[at].model_copy(update={"loss": middle})
    return smooth


def _covariance(points: Sequence[Point], clips: int) -> np.ndarray:
    """[points, points]: covariance of the points' noise, in units of the variance between clips.

    Every clip comes once in an epoch, in random order. So sums over a part of an epoch vary with the clips in it, as in
    sampling without replacement (a bridge). Sums over whole epochs vary only with the variance within a clip.
    """
    windows = [_window(point, clips) for point in points]
    covariance = np.empty((len(points), len(points)))
    for row, one in enumerate(windows):
        for column, other in enumerate(windows):
            covariance[row, column] = _window_covariance(one, other, clips, column != row and 0 in (row, column))
    return covariance


def _window(point: Point, clips: int) -> tuple[int, int]:
    """The clips that the point is the mean of, as a range of the clips seen."""
    return (0, min(FIRST_PASS_CLIPS, clips)) if point.clips == 0 else (max(0, point.clips - clips), point.clips)


def _window_covariance(one: tuple[int, int], other: tuple[int, int], clips: int, separate: bool) -> float:
    """Covariance of two windows' means. `separate` where their common clips were seen in different passes."""
    total = 0.0 if separate else WITHIN_CLIP_VARIANCE * _overlap(one, other)
    for epoch in range(max(one[0], other[0]) // clips, (min(one[1], other[1]) - 1) // clips + 1):
        whole = (epoch * clips, (epoch + 1) * clips)
        in_epoch = _overlap(_intersection(one, whole), _intersection(other, whole))
        total += in_epoch - _overlap(one, whole) * _overlap(other, whole) / clips
    return total / ((one[1] - one[0]) * (other[1] - other[0]))


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> int:
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def _intersection(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return max(one[0], other[0]), min(one[1], other[1])


def _quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    order = np.argsort(values)
    at = np.searchsorted(np.cumsum(weights[order]), share)
    return float(values[order][min(at, len(values) - 1)])
