"""Decides when a trial ends: a pure function of its curve, shared by the training loop and the search's stopper."""

import itertools
import math
from collections.abc import Sequence
from statistics import median

from spaces.band import Band
from spaces.records.losses import BaseLoss
from spaces.records.trial import Ending, Point
from trainable.stopping.curve import FIRST_PASS_CLIPS
from trainable.stopping.extrapolation import POINTS_PER_EPOCH, SPEED_UP, EffectiveSteps, earliest_crossing

COLLAPSED_LOSS = 5e-5
"""A loss that prints as 0.0000, as from a dataset whose clips all hold the same codes."""

SETTLED_EPOCHS = 0.5
"""Before half an epoch the mean so far is over too few clips to be judged against a band. Half of a small dataset is
still too few: there it takes as many clips as the first pass, or all of them."""

HOPELESS_EPOCHS = 1.0
"""Before the first epoch is complete, the pace of a curve cannot be told from the order of the clips."""

LAST_EPOCHS = 1.0
"""A run this close to its end is completed: that costs little, and a known end improves later predictions."""

SPIKE_RATIO = 2.5
"""A fall by more than this multiple of the usual change per step may be a spike, which the next step shows."""

RECENT_CHANGES = 16
"""The usual change is the median of so many."""

MIN_CHANGES = 4
"""The usual change needs at least so many. Where an epoch has fewer steps, waiting for the next one takes too long."""

JUMP_RATIO = 2.0
"""The next step may change the loss by this multiple of the last change."""


def decide(
    curve: Sequence[Point],
    band: Band | None,
    clips: int,
    last_step: int,
    effective_steps: EffectiveSteps = float,
    base: BaseLoss | None = None,
    learns_from: int | None = 0,
) -> Ending | None:
    """How the trial ends at its latest point, or None while it goes on.

    `clips` is the number of clips in an epoch, `last_step` the optimizer step at which the epochs are used up. `base`
    is the base model's loss; where it is None, as in older runs, nothing is compared with it. `learns_from` is the step
    from which an epoch must bring the loss below it, or None.

    - diverged, collapsed: at once, when the loss is not finite, or that of the latest step is 0.
    - in_band: once enough clips have been seen, within the band and not above its aim; at the last step anywhere within
      the band. A sudden fall counts only when the next point confirms it. Never while `is_untrained`.
    - overshot: likewise, below the band, trained or not.
    - exhausted: otherwise, at the last step. completed: at the last step, without a band.
    - hopeless: even the most optimistic extrapolation does not reach the band by the last step. This is checked four
      times an epoch, after the first epoch and before the last. Also where the mean of the epoch after `learns_from` is
      not below the base model's loss, before the last epoch.
    """
    latest = curve[-1]
    if not math.isfinite(latest.loss) or not math.isfinite(latest.grad_norm):
        return Ending.DIVERGED
    if (latest.loss if latest.step_loss is None else latest.step_loss) <= COLLAPSED_LOSS:
        return Ending.COLLAPSED
    is_last = latest.step >= last_step
    if band is None:
        return Ending.COMPLETED if is_last else None
    if is_settled(latest.clips, clips) and (is_last or not may_be_spike(curve, band, clips)):
        if latest.loss < band.low:
            return Ending.OVERSHOT
        if latest.loss <= (band.high if is_last else band.aim[1]) and not is_untrained(latest, base, clips):
            return Ending.IN_BAND
    if is_last:
        return Ending.EXHAUSTED
    has_learned = base is None or latest.loss < _beginning(curve[0], base, clips)
    if not has_learned and _had_its_first_epoch(curve, clips, last_step, learns_from):
        return Ending.HOPELESS
    if (
        latest.loss > band.high
        and _is_check_due(curve, last_step)
        and _never_crosses(curve, band, clips, last_step, effective_steps)
    ):
        return Ending.HOPELESS
    return None


def is_untrained(point: Point, base: BaseLoss | None, clips: int) -> bool:
    """Whether the loss lies no further below the base model's than the choice of clips explains: one standard error of
    a mean over as many. False where the base model's loss is unknown."""
    return base is not None and base.mean - point.loss <= base.standard_error(max(1, min(point.clips, clips)))


def is_settled(seen: int, clips: int) -> bool:
    """Whether a mean over so many clips is judged against a band, where an epoch has `clips`."""
    return seen >= min(clips, max(SETTLED_EPOCHS * clips, FIRST_PASS_CLIPS))


def may_be_spike(curve: Sequence[Point], band: Band, clips: int) -> bool:
    """Whether the latest loss is the first at which the trial would end, and may be an outlier."""
    if len(curve) < 2 or curve[-2].loss <= band.aim[1] or curve[-1].loss > band.aim[1]:
        return False
    if MIN_CHANGES * (curve[-1].clips - curve[-2].clips) > clips:
        return False
    return _is_outlier(curve)


def may_jump_over(curve: Sequence[Point], band: Band) -> bool:
    """Whether the next step may carry the loss from above the band to below it."""
    if len(curve) < 2 or curve[-1].loss <= band.high:
        return False
    fall = curve[-2].loss - curve[-1].loss
    return curve[-1].loss - JUMP_RATIO * fall < band.low


def nears_floor(curve: Sequence[Point], band: Band, clips_ahead: int) -> bool:
    """Whether the loss, at its present pace, falls below the band within so many clips.

    Such a run saves a checkpoint now, because an overshot trial returns to the last one above the floor.
    """
    latest = curve[-1]
    if latest.loss < band.low:
        return False
    earlier = _before(curve, latest.clips - clips_ahead)
    return latest.loss - (earlier.loss - latest.loss) < band.low


def _is_outlier(curve: Sequence[Point]) -> bool:
    """Whether the latest change of the loss is much larger than usual; False while too few changes are known."""
    if len(curve) < MIN_CHANGES + 2:
        return False
    recent = [point.loss for point in curve[-RECENT_CHANGES - 2 : -1]]
    changes = [abs(after - before) for before, after in itertools.pairwise(recent)]
    return abs(curve[-1].loss - recent[-1]) > SPIKE_RATIO * median(changes)


def _had_its_first_epoch(curve: Sequence[Point], clips: int, last_step: int, learns_from: int | None) -> bool:
    """Whether the latest point is the mean over the epoch that begins after step `learns_from`, and not in the last.
    False where the curve lacks that step."""
    begun = next((point for point in curve if point.step == learns_from), None)
    if begun is None or begun is curve[-1] or _is_in_last_epoch(curve[-1], last_step):
        return False
    return curve[-1].clips - begun.clips >= clips > curve[-2].clips - begun.clips


def _beginning(first: Point, base: BaseLoss, clips: int) -> float:
    """The loss at which the run began: the base model's. Where the run's own first pass lies above it by more than two
    standard errors, it is in another mode, with a dropout that the base model has not, and began there."""
    noise = 2 * base.standard_error(min(clips, FIRST_PASS_CLIPS))
    return first.loss if first.step == 0 and first.loss > base.mean + noise else base.mean


def _is_in_last_epoch(latest: Point, last_step: int) -> bool:
    return (last_step - latest.step) * latest.epoch / latest.step <= LAST_EPOCHS + 1e-9


def _is_check_due(curve: Sequence[Point], last_step: int) -> bool:
    """Whether the latest point is the first in its quarter of an epoch, after the first epoch and before the last."""
    latest = curve[-1]
    if len(curve) < 2 or latest.epoch < HOPELESS_EPOCHS or not latest.step or _is_in_last_epoch(latest, last_step):
        return False
    quarters = [math.floor(POINTS_PER_EPOCH * point.epoch + 1e-9) for point in curve[-2:]]
    return quarters[0] < quarters[1]


def _never_crosses(
    curve: Sequence[Point], band: Band, clips: int, last_step: int, effective_steps: EffectiveSteps
) -> bool:
    """Whether no extrapolation reaches the band. False at a point that may be a spike, and where the curve has no point
    an epoch ago because its beginning is missing."""
    latest = curve[-1]
    if latest.loss > curve[-2].loss and _is_outlier(curve):
        return False
    epoch_ago = next((point for point in reversed(curve) if point.epoch <= latest.epoch - 1), None)
    if epoch_ago is None:
        return False
    done = effective_steps(latest.step)
    pace = max(0.0, epoch_ago.loss - latest.loss) / max(done - effective_steps(epoch_ago.step), 1e-9)
    if latest.loss - SPEED_UP * pace * (effective_steps(last_step) - done) <= band.high:
        return False
    earliest = earliest_crossing(curve, band.high, clips, last_step, effective_steps)
    return earliest is not None and earliest > last_step


def _before(curve: Sequence[Point], clips: int) -> Point:
    """The latest point with at most so many clips seen; the first point if there is none."""
    return next((point for point in reversed(curve) if point.clips <= clips), curve[0])
