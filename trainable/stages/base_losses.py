"""Measures the base model's own losses on a voice: the only losses that are known before the first trial."""

import random
from collections.abc import Sequence
from statistics import stdev

import torch

from spaces.cli import OnProgress
from spaces.records.losses import BaseLosses, Losses
from trainable.family.protocol import Learner
from trainable.stopping.curve import ClipRow, mean_losses
from trainable.training.epoch_order import epoch_visits
from trainable.training.validation import length_batches

MAX_CLIPS = 512
"""Of an epoch. The mean over so many clips is within 5 % of a standard deviation of the mean over all."""
BATCH = 4
"""Clips of one forward pass; without a gradient they take less memory than one clip in training."""


def measure_base_losses(learner: Learner, seed: int, on_progress: OnProgress) -> BaseLosses:
    """Losses of the clips of the first epoch, in training and in evaluation mode, and of the held-out clips.

    `learner` is the base model itself, and is left in evaluation mode. `seed` is the one that orders the clips of an
    epoch; of an epoch of more than 512 clips it draws so many.
    """
    clips = epoch_visits(learner.split, seed, 0)
    if len(clips) > MAX_CLIPS:
        clips = random.Random(seed).sample(clips, MAX_CLIPS)
    held_out = learner.split.held_out
    total, done = 2 * len(clips) + len(held_out), 0

    def rows(chosen: Sequence[int]) -> list[ClipRow]:
        nonlocal done
        found: list[ClipRow] = []
        with torch.no_grad():
            for batch in length_batches(learner.split, chosen, BATCH):
                parts = learner.losses(batch, step=0).parts
                found += zip(*(parts[name].tolist() for name in learner.loss_parts), strict=True)
                done += len(batch)
                on_progress("measuring the base model's losses", done, total)
        return found

    learner.train()
    training = rows(clips)
    learner.eval()
    return BaseLosses(
        clips=len(clips),
        training=mean_losses(learner.loss_parts, training),
        deviation=_deviation(learner.loss_parts, training),
        evaluation=mean_losses(learner.loss_parts, rows(clips)),
        held_out=mean_losses(learner.loss_parts, rows(held_out)) if held_out else None,
    )


def _deviation(parts: Sequence[str], rows: Sequence[ClipRow]) -> Losses:
    """The standard deviation of each part between clips; 0 for a single clip."""
    columns = zip(*rows, strict=True)
    return Losses({name: stdev(column) if len(rows) > 1 else 0.0 for name, column in zip(parts, columns, strict=True)})
