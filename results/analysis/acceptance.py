"""Estimates how likely an adapter is accepted, by its loss, and where an auto band should lie."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spaces.band import Band
from spaces.records.interval import ConfidenceInterval
from trainable.training.outcome import TrainingAdvice

PRIOR_COUNT = 1.0
"""One accepted and one rejected verdict are assumed at every loss, the uniform Beta(1, 1), so that few verdicts move
little."""

BANDWIDTH = 0.08
"""Standard deviation of the kernel, as a share of the start interval. It falls with the number of verdicts to the power
of −1/5 (Silverman 1986, section 3.4.2)."""

BAND_SHARE = 0.7
"""The band holds the losses at which acceptance is at least this share of its maximum."""

AIM_SHARE = 0.99
"""The band's aim holds the losses at which acceptance is at least this share of its maximum."""

GRID_STEPS = 400
"""Steps into which the start interval is divided."""


class JudgedLoss(NamedTuple):
    """A verdict, and the loss of the checkpoint that it judged."""

    loss: float
    accepted: bool
    advice: TrainingAdvice | None = None
    """For a rejection: what is undertrained at this loss is so at every higher loss, and what is overtrained is so at
    every lower loss."""


class AcceptanceModel:
    """P(accepted | loss), as a beta distribution at every loss.

    Each verdict counts by a Gaussian kernel in the loss, at most once. A rejection counts in full on the side that it
    rules out.
    """

    def __init__(self, verdicts: Sequence[JudgedLoss], start: Band) -> None:
        """`verdicts` are of one objective; the band must lie within `start`."""
        self._verdicts, self._start = tuple(verdicts), start
        self._bandwidth = BANDWIDTH * (start.high - start.low) * max(1, len(verdicts)) ** -0.2

    def probability(self, loss: float) -> float:
        """Posterior mean at this loss; 0.5 without verdicts."""
        accepted, rejected = self._counts(np.array([loss]))
        return float((accepted / (accepted + rejected))[0])

    def interval(self, loss: float) -> ConfidenceInterval:
        """95 % credible interval of the probability at this loss."""
        accepted, rejected = (float(count[0]) for count in self._counts(np.array([loss])))
        shares = (np.arange(2000) + 0.5) / 2000
        log_density = (accepted - 1) * np.log(shares) + (rejected - 1) * np.log1p(-shares)
        cumulative = np.cumsum(np.exp(log_density - log_density.max()))
        low, high = np.searchsorted(cumulative / cumulative[-1], [0.025, 0.975])
        return ConfidenceInterval(float(shares[low]), float(shares[high]))

    def band(self) -> Band:
        """The start interval without verdicts; otherwise the part around the maximum in which acceptance is likely."""
        if not self._verdicts:
            return self._start
        low, high = self._around_maximum(BAND_SHARE)
        return Band(low=low, high=high, aim=self._around_maximum(AIM_SHARE))

    @cached_property
    def _grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Losses in descending order and the probability at each: [GRID_STEPS + 1] both."""
        losses = np.linspace(self._start.high, self._start.low, GRID_STEPS + 1)
        accepted, rejected = self._counts(losses)
        return losses, accepted / (accepted + rejected)

    def _around_maximum(self, share: float) -> tuple[float, float]:
        losses, probabilities = self._grid
        peak = int(probabilities.argmax())
        unlikely = np.flatnonzero(probabilities < share * probabilities[peak])
        # One step further on either side, so that even a maximum at a single loss has a width.
        first, last = unlikely[unlikely < peak].max(initial=0), unlikely[unlikely > peak].min(initial=GRID_STEPS)
        return float(losses[last]), float(losses[first])

    def _counts(self, losses: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Accepted and rejected verdicts at these losses, with the prior counts."""
        accepted, rejected = np.full(losses.shape, PRIOR_COUNT), np.full(losses.shape, PRIOR_COUNT)
        for verdict in self._verdicts:
            distance = losses - verdict.loss
            if verdict.advice is TrainingAdvice.MORE:
                distance = np.minimum(distance, 0.0)
            elif verdict.advice is TrainingAdvice.LESS:
                distance = np.maximum(distance, 0.0)
            weights = np.exp(-((distance / self._bandwidth) ** 2) / 2)
            if verdict.accepted:
                accepted += weights
            else:
                rejected += weights
        return accepted, rejected
