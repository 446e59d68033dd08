"""The order of clips and the learning rate, as pure functions of seed and step."""

from __future__ import annotations

import math
import random


def steps_per_epoch(clips: int, clips_per_step: int) -> int:
    """Optimizer steps in one epoch; the last one may hold fewer clips."""
    return math.ceil(clips / clips_per_step)


def clip_order(seed: int, epoch: int, clips: int) -> list[int]:
    """A permutation of the clips, its own for each epoch; the same for every trial of a search."""
    order = list(range(clips))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return order


def learning_rate_factor(step: int, warmup: int) -> float:
    """Linear warm-up over so many optimizer steps, then constant. `step` counts from 0."""
    return min(1.0, (step + 1) / (warmup + 1))
