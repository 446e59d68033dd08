"""The learning rates over a run, as a pure function of the step."""

import itertools
import math
from collections.abc import Callable

from spaces.draw import Draw, Schedule


def learning_rate_factor(step: int, draw: Draw, last_step: int) -> float:
    """What the draw's learning rates are multiplied by in optimizer step `step`, counted from 0, of `last_step` in all.

    Linear warm-up over `warmup_steps`. Then 1 throughout, or `draw.lr_cycles` half waves of a cosine of equal
    length over the rest of the run, each from 1 towards `draw.lr_floor`, which it would reach where the next one
    begins. That is equation 5 of SGDR (Loshchilov and Hutter 2017) with T_mult = 1.
    """
    warmup = warmup_steps(draw, last_step)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if draw.schedule is Schedule.CONSTANT:
        return 1.0
    steps = last_step - warmup
    wave = (step - warmup) * draw.lr_cycles % steps / steps
    return draw.lr_floor + (1 - draw.lr_floor) * (1 + math.cos(math.pi * wave)) / 2


def warmup_steps(draw: Draw, last_step: int) -> int:
    """Optimizer steps of warm-up in a run of `last_step` steps: a `draw.warmup` below 1 is a share of them."""
    return draw.warmup if isinstance(draw.warmup, int) else round(draw.warmup * last_step)


def learns_from(draw: Draw, last_step: int) -> int | None:
    """The step from which an epoch must bring the loss below the base model's: the end of the warm-up.

    None for a draw with augmented copies, whose losses are not those of the clips that the base model was measured on.
    """
    return None if draw.augmented else warmup_steps(draw, last_step)


def effective_steps(draw: Draw, last_step: int) -> Callable[[int], float]:
    """A function from a step to the sum of the learning rate factors before it: steps at the full learning rates."""
    factors = (learning_rate_factor(step, draw, last_step) for step in range(last_step))
    return list(itertools.accumulate(factors, initial=0.0)).__getitem__
