"""When a trial ends: one pure rule over its curve, shared by the loop and by the search's stopper."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from statistics import median

from spaces.band import Band
from spaces.records.trial import Ending, Point
from trainable.stopping.curve import FIRST_PASS_CLIPS
from trainable.stopping.extrapolation import POINTS_PER_EPOCH, SPEED_UP, EffectiveSteps, predict_crossing

COLLAPSED_LOSS = 5e-5
"""A loss that prints as 0.0000: a dataset whose clips all hold the same codes was once "trained" to it in 30 steps."""

SETTLED_EPOCHS = 0.5
"""Before half an epoch's clips have been seen, the mean so far rests on too few of them to be judged against a band; a
half of few clips is still too few, so it takes as many as are in the first pass, or all of them."""

HOPELESS_EPOCHS = 1.0
"""Before the first epoch is complete, how fast a curve falls is not told apart from which clips came first."""

LAST_EPOCHS = 1.0
"""A run that is nearly through is seen through: that costs little, and a known end helps to foretell others."""

SPIKE_RATIO = 2.5
"""A fall by more than so many times the usual change from step to step may be a spike, which the next step tells."""

RECENT_CHANGES = 16
"""So many changes say what is usual."""

MIN_CHANGES = 4
"""It takes as many. And where an epoch has fewer steps than that, one is too long to wait for."""

JUMP_RATIO = 2.0
"""A step may take a loss this many times as far as the one before."""


def decide(
    curve: Sequence[Point], band: Band, clips: int, last_step: int, exposure: EffectiveSteps = float
) -> Ending | None:
    """How the trial ends at its latest point, or None while it should go on.

    `clips` is the number of clips in an epoch, `last_step` the optimizer step at which the epochs are used up, and
    `exposure` how much has been learned from by a step.

    A loss that is not finite or is 0 ends at once. Otherwise, once enough clips have been seen: in the band, and not
    above its aim, it is in_band, below the band overshot. A loss that has come there all of a sudden is believed when
    the next one is there too. In the band but above its aim a trial goes on, and is in_band when its steps are used up;
    above the band it is exhausted then. It is hopeless when even the most optimistic course that its points allow does
    not reach the band by the last step. That is looked into four times an epoch, after the first and before the last.
    """
    latest = curve[-1]
    if not math.isfinite(latest.loss) or not math.isfinite(latest.grad_norm):
        return Ending.DIVERGED
    if latest.loss <= COLLAPSED_LOSS:
        return Ending.COLLAPSED
    is_last = latest.step >= last_step
    if _is_settled(latest, clips) and (is_last or not may_be_spike(curve, band, clips)):
        if latest.loss < band.low:
            return Ending.OVERSHOT
        if latest.loss <= (band.high if is_last else band.aim[1]):
            return Ending.IN_BAND
    if is_last:
        return Ending.EXHAUSTED
    if (
        latest.loss > band.high
        and _is_due(curve, last_step)
        and _never_crosses(curve, band, clips, last_step, exposure)
    ):
        return Ending.HOPELESS
    return None


def may_be_spike(curve: Sequence[Point], band: Band, clips: int) -> bool:
    """Whether the latest loss is the first at which the trial would end, and has come there out of line."""
    if len(curve) < 2 or curve[-2].loss <= band.aim[1] or curve[-1].loss > band.aim[1]:
        return False
    if MIN_CHANGES * (curve[-1].clips - curve[-2].clips) > clips:
        return False
    return _is_out_of_line(curve)


def may_jump_over(curve: Sequence[Point], band: Band) -> bool:
    """Whether one more step may carry the loss from above the band to below it."""
    if len(curve) < 2 or curve[-1].loss <= band.high:
        return False
    fall = curve[-2].loss - curve[-1].loss
    return curve[-1].loss - JUMP_RATIO * fall < band.low


def nears_floor(curve: Sequence[Point], band: Band, clips_ahead: int) -> bool:
    """Whether at its present rate of descent the loss would leave the band downwards within so many clips.

    Such a run keeps a checkpoint now, because an overshot trial returns to the last one above the floor.
    """
    latest = curve[-1]
    if latest.loss < band.low:
        return False
    earlier = _before(curve, latest.clips - clips_ahead)
    return latest.loss - (earlier.loss - latest.loss) < band.low


def _is_out_of_line(curve: Sequence[Point]) -> bool:
    """Whether the latest loss is further from the one before than such changes usually are. Unknown is in line."""
    if len(curve) < MIN_CHANGES + 2:
        return False
    recent = [point.loss for point in curve[-RECENT_CHANGES - 2 : -1]]
    changes = [abs(after - before) for before, after in itertools.pairwise(recent)]
    return abs(curve[-1].loss - recent[-1]) > SPIKE_RATIO * median(changes)


def _is_settled(latest: Point, clips: int) -> bool:
    return latest.clips >= min(clips, max(SETTLED_EPOCHS * clips, FIRST_PASS_CLIPS))


def _is_due(curve: Sequence[Point], last_step: int) -> bool:
    """Whether the latest point is the first in its quarter of an epoch, with enough epochs behind it and before it."""
    latest = curve[-1]
    if len(curve) < 2 or latest.epoch < HOPELESS_EPOCHS or not latest.step:
        return False
    if (last_step - latest.step) * latest.epoch / latest.step <= LAST_EPOCHS + 1e-9:
        return False
    quarters = [math.floor(POINTS_PER_EPOCH * point.epoch + 1e-9) for point in curve[-2:]]
    return quarters[0] < quarters[1]


def _never_crosses(curve: Sequence[Point], band: Band, clips: int, last_step: int, exposure: EffectiveSteps) -> bool:
    """Not to be told at a point that may be a spike. Without a point an epoch ago, in a curve whose beginning is
    missing, anything may still be reached."""
    latest = curve[-1]
    if latest.loss > curve[-2].loss and _is_out_of_line(curve):
        return False
    epoch_ago = next((point for point in reversed(curve) if point.epoch <= latest.epoch - 1), None)
    if epoch_ago is None:
        return False
    pace = max(0.0, epoch_ago.loss - latest.loss) / max(exposure(latest.step) - exposure(epoch_ago.step), 1e-9)
    if latest.loss - SPEED_UP * pace * (exposure(last_step) - exposure(latest.step)) <= band.high:
        return False
    crossing = predict_crossing(curve, band.high, clips, last_step, exposure)
    return crossing is not None and crossing.earliest > last_step


def _before(curve: Sequence[Point], clips: int) -> Point:
    """The latest point at which no more than so many clips had been seen; the first one if there is none."""
    return next((point for point in reversed(curve) if point.clips <= clips), curve[0])
