"""Losses on the held-out clips."""

import math
from collections.abc import Mapping, Sequence

import torch

from spaces.records.losses import Losses
from trainable.dataset.split import DatasetSplit
from trainable.family.protocol import Learner, Pack
from trainable.stopping.curve import ClipRow, mean_losses

END = "eos"
"""The part that is −log of the probability of the end of speech where a clip ends."""


def validate(pack: Pack, seats: Sequence[int]) -> dict[int, Losses]:
    """Each seat's mean losses over all held-out clips, each clip counting the same. There must be at least one."""
    if not seats:
        return {}
    rows: dict[int, list[ClipRow]] = {seat: [] for seat in seats}
    for clips in length_batches(pack.split, pack.split.held_out, pack.batch):
        for seat, part in pack.validate(seats, clips).items():
            rows[seat].extend(part)
    return {seat: mean_losses(pack.loss_parts, rows[seat]) for seat in seats}


def end_probabilities(pack: Pack, seats: Sequence[int]) -> Mapping[int, float]:
    """Each seat's probability of EOS where a held-out clip ends, given all of the clip before; the geometric mean over
    clips. Empty where no clip is held out, and for a family whose losses have no part `eos`."""
    if not pack.split.held_out or END not in pack.loss_parts:
        return {}
    return {seat: math.exp(-losses[END]) for seat, losses in validate(pack, seats).items()}


def end_probability(learner: Learner) -> float | None:
    """As `end_probabilities`, of a learner in evaluation mode; None where that is empty."""
    if END not in learner.loss_parts:
        return None
    batches = length_batches(learner.split, learner.split.held_out, 1)
    with torch.no_grad():
        losses = [float(loss) for clips in batches for loss in learner.losses(clips, step=0).parts[END]]
    return math.exp(-sum(losses) / len(losses)) if losses else None


def length_batches(split: DatasetSplit, clips: Sequence[int], size: int) -> list[Sequence[int]]:
    """These clips in batches, neighbours in length together so that little is padding."""
    ordered = sorted(clips, key=lambda clip: split.entries[clip].seconds)
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]
