"""When a trial ends: one pure rule over its curve, shared by the loop and by the search's stopper."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spaces.band import Band
from spaces.ending import Ending
from spaces.trial import Point

COLLAPSED = 5e-5
"""A loss that prints as 0.0000: a dataset whose clips all hold the same codes was once "trained" to it in 30 steps."""

SETTLED_EPOCHS = 0.5
"""Before half an epoch's clips have been seen, the mean so far rests on too few of them to be judged against a band."""

HOPELESS_EPOCHS = 2.0
"""A rate of descent is measured over the last epoch, so it takes two before the first fair one is known."""


HOPE = 2.0
"""The rate is doubled before a trial is given up: at low learning rates a curve starts slowly and falls faster then."""


def decide(curve: Sequence[Point], band: Band, clips: int, last_step: int) -> Ending | None:
    """How the trial ends at its latest point, or None while it should go on.

    `clips` is the number of clips in an epoch, `last_step` the optimizer step at which the epochs are used up.
    A loss that is not finite or is 0 ends at once. Otherwise, once half an epoch has been seen: inside the band it
    is in_band, below it overshot, out of steps exhausted, and hopeless when twice the latest epoch's rate of descent,
    kept up to the last step, would stay above the band.
    """
    latest = curve[-1]
    if not math.isfinite(latest.loss) or not math.isfinite(latest.grad_norm):
        return Ending.DIVERGED
    if latest.loss <= COLLAPSED:
        return Ending.COLLAPSED
    if latest.clips >= SETTLED_EPOCHS * clips:
        if latest.loss in band:
            return Ending.IN_BAND
        if latest.loss < band.low:
            return Ending.OVERSHOT
    if latest.step >= last_step:
        return Ending.EXHAUSTED
    if latest.epoch >= HOPELESS_EPOCHS and _best_case(curve, latest, last_step) > band.high:
        return Ending.HOPELESS
    return None


def nears_floor(curve: Sequence[Point], band: Band, clips_ahead: int) -> bool:
    """Whether at its present rate of descent the loss would leave the band downwards within so many clips.

    Such a run keeps a checkpoint now, because an overshot trial returns to the last one above the floor.
    """
    latest = curve[-1]
    if latest.loss < band.low:
        return False
    earlier = _before(curve, latest.clips - clips_ahead)
    return latest.loss - (earlier.loss - latest.loss) < band.low


def _best_case(curve: Sequence[Point], latest: Point, last_step: int) -> float:
    """The loss at the last step if it fell twice as fast as over the latest epoch, in nats.

    Without a point an epoch ago, in a curve whose beginning is missing, anything may still be reached.
    """
    epoch_ago = next((point for point in reversed(curve) if point.epoch <= latest.epoch - 1), None)
    if epoch_ago is None:
        return -math.inf
    steps = latest.step - epoch_ago.step
    fall_per_step = max(0.0, epoch_ago.loss - latest.loss) / steps
    return latest.loss - HOPE * fall_per_step * (last_step - latest.step)


def _before(curve: Sequence[Point], clips: int) -> Point:
    """The latest point at which no more than so many clips had been seen; the first one if there is none."""
    return next((point for point in reversed(curve) if point.clips <= clips), curve[0])
