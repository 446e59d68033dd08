"""The loss on clips that nobody trains on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from spaces.records.trial import Losses
from trainable.dataset.split import DatasetSplit
from trainable.family.protocol import Learner, Pack
from trainable.stopping.curve import ClipRow, mean_losses


def validate(pack: Pack, seats: Sequence[int]) -> dict[int, Losses]:
    """Each seat's mean losses over all clips that the split holds out, each clip counting the same. At least one of
    them is held out.

    As many clips go into a pass as in training, and neighbours in length together, so that little of it is padding.
    """
    if not seats:
        return {}
    rows: dict[int, list[ClipRow]] = {seat: [] for seat in seats}
    for clips in _passes(pack.split, pack.batch):
        for seat, part in pack.validate(seats, clips).items():
            rows[seat].extend(part)
    return {seat: mean_losses(rows[seat]) for seat in seats}


def end_probabilities(pack: Pack, seats: Sequence[int]) -> Mapping[int, float]:
    """Of each seat, the geometric mean of the probability that it gives to the end where a held-out clip ends, told all
    of the clip before. Empty where nothing is held out."""
    if not pack.split.held_out:
        return {}
    return {seat: math.exp(-losses.eos) for seat, losses in validate(pack, seats).items()}


def end_probability(learner: Learner) -> float | None:
    """The same of a model of its own, in evaluation mode; None where nothing is held out."""
    with torch.no_grad():
        losses = [float(loss) for clips in _passes(learner.split, 1) for loss in learner.losses(clips, step=0).eos]
    return math.exp(-sum(losses) / len(losses)) if losses else None


def _passes(split: DatasetSplit, size: int) -> list[Sequence[int]]:
    """The held-out clips, neighbours in length together."""
    clips = sorted(split.held_out, key=lambda clip: split.entries[clip].seconds)
    return [clips[start : start + size] for start in range(0, len(clips), size)]
