"""How likely an adapter is accepted, by the loss it was stopped at; and where a band should lie that is found by it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from spaces.band import Band
from spaces.records.interval import ConfidenceInterval
from trainable.training.outcome import TrainingAdvice

PRIOR_COUNT = 1.0
"""One verdict each way is presumed at every loss, so that a few verdicts move little: the uniform Beta(1, 1)."""

BANDWIDTH = 0.08
"""How far a verdict speaks for losses around it: a standard deviation, as a share of the start interval. It falls with
the number of verdicts to the power of −1/5 (Silverman 1986, section 3.4.2)."""

BAND_SHARE = 0.7
"""A loss is in the band where acceptance is at least so many times as likely as where it is likeliest."""

AIM_SHARE = 0.99
"""And in the band's aim where it is at least so many times as likely."""

GRID_STEPS = 400
"""The start interval is looked at in so many steps."""


class JudgedLoss(NamedTuple):
    """A verdict, and the loss of the checkpoint it is of."""

    loss: float
    accepted: bool
    advice: TrainingAdvice | None = None
    """Of a rejection: undertrained here is undertrained at every higher loss, and spoilt here at every lower one."""


class AcceptanceModel:
    """P(accepted | loss), as a beta distribution at every loss.

    Each verdict counts by a Gaussian kernel in the loss, at most once, and in full on the side that it rules out.
    """

    def __init__(self, verdicts: Sequence[JudgedLoss], start: Band) -> None:
        self._heard, self._start = tuple(verdicts), start
        self._reach = BANDWIDTH * (start.high - start.low) * max(1, len(verdicts)) ** -0.2

    def probability(self, loss: float) -> float:
        """The mean of what is thinkable at this loss; 0.5 where nothing is known."""
        accepted, rejected = self._counts(np.array([loss]))
        return float((accepted / (accepted + rejected))[0])

    def interval(self, loss: float) -> ConfidenceInterval:
        """Within which that probability lies, with 95 % credibility."""
        accepted, rejected = (float(count[0]) for count in self._counts(np.array([loss])))
        shares = (np.arange(2000) + 0.5) / 2000
        logarithm = (accepted - 1) * np.log(shares) + (rejected - 1) * np.log1p(-shares)
        summed = np.cumsum(np.exp(logarithm - logarithm.max()))
        low, high = np.searchsorted(summed / summed[-1], [0.025, 0.975])
        return ConfidenceInterval(float(shares[low]), float(shares[high]))

    @cached_property
    def _likely(self) -> tuple[np.ndarray, np.ndarray]:
        """Losses from the highest one down, and the probability at each."""
        losses = np.linspace(self._start.high, self._start.low, GRID_STEPS + 1)
        accepted, rejected = self._counts(losses)
        return losses, accepted / (accepted + rejected)

    def band(self) -> Band:
        """The start interval while nothing was heard; then the part of it, around where acceptance is likeliest, in
        which it is not much less likely."""
        if not self._heard:
            return self._start
        low, high = self._around_the_peak(BAND_SHARE)
        return Band(low=low, high=high, aim=self._around_the_peak(AIM_SHARE))

    def _around_the_peak(self, share: float) -> tuple[float, float]:
        losses, likely = self._likely
        peak = int(likely.argmax())
        poor = np.flatnonzero(likely < share * likely[peak])
        # One step further on either side, so that even a peak of a single loss has a width.
        first, last = poor[poor < peak].max(initial=0), poor[poor > peak].min(initial=GRID_STEPS)
        return float(losses[last]), float(losses[first])

    def _counts(self, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Acceptances and rejections at these losses, the presumed ones among them."""
        accepted, rejected = np.full(losses.shape, PRIOR_COUNT), np.full(losses.shape, PRIOR_COUNT)
        for verdict in self._heard:
            away = losses - verdict.loss
            if verdict.advice is TrainingAdvice.MORE:
                away = np.minimum(away, 0.0)
            elif verdict.advice is TrainingAdvice.LESS:
                away = np.maximum(away, 0.0)
            counts = np.exp(-((away / self._reach) ** 2) / 2)
            accepted, rejected = (accepted + counts, rejected) if verdict.accepted else (accepted, rejected + counts)
        return accepted, rejected
