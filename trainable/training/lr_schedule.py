"""The learning rates over a run, as a pure function of the step."""

import itertools
import math
from collections.abc import Callable

from spaces.draw import Draw, Schedule


def learning_rate_factor(step: int, draw: Draw, last_step: int) -> float:
    """What the draw's learning rates are multiplied by in optimizer step `step`, counted from 0, of `last_step` in all.

    Linear warm-up over `draw.warmup` steps. Then 1 throughout, or `draw.lr_cycles` half waves of a cosine of equal
    length over the rest of the run, each from 1 towards `draw.lr_floor`, which it would reach where the next one
    begins. That is equation 5 of SGDR (Loshchilov and Hutter 2017) with T_mult = 1.
    """
    if step < draw.warmup:
        return (step + 1) / (draw.warmup + 1)
    if draw.schedule is Schedule.CONSTANT:
        return 1.0
    steps = last_step - draw.warmup
    wave = (step - draw.warmup) * draw.lr_cycles % steps / steps
    return draw.lr_floor + (1 - draw.lr_floor) * (1 + math.cos(math.pi * wave)) / 2


def effective_steps(draw: Draw, last_step: int) -> Callable[[int], float]:
    """A function from a step to the sum of the learning rate factors before it: steps at the full learning rates."""
    factors = (learning_rate_factor(step, draw, last_step) for step in range(last_step))
    return list(itertools.accumulate(factors, initial=0.0)).__getitem__
