"""Chooses the frames on which the sub-talker is trained: a share of each clip's, chosen anew in every step.

The code predictor runs through 16 positions for each frame that it is scored on, which is a large part of a step. The
mean over evenly drawn frames is an unbiased estimate of the mean over all. The choice is a hash of (trial seed,
optimizer step, clip, frame), as dropout masks are: a resumed trial, another seat and every process of a group choose
the same frames.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from trainable.qwen3_tts.model import dropout

CPU = torch.device("cpu")
ROUNDING = 1e-9
"""0.07 × 100 is slightly more than 7 in floating point, but 7 frames are meant."""


def sample_frames(lengths: Sequence[int], rows: Sequence[dropout.RowId], shares: Sequence[float]) -> Tensor | None:
    """Chooses ceil(share × frames) of each row's frames, at least one.

    lengths: frames of each row's clip; shares: the share of them to score. Step 0, which trains nothing, scores all.
    Returns [frames of all rows] bool, or None if every frame is scored.
    """
    shares = [share if step else 1.0 for share, (_, step, _) in zip(shares, rows, strict=True)]
    if all(share == 1 for share in shares):
        return None
    counts = [math.ceil(share * frames - ROUNDING) for share, frames in zip(shares, lengths, strict=True)]
    frames = torch.tensor(lengths)
    row = torch.repeat_interleave(torch.arange(len(rows)), frames)
    within = torch.arange(len(row)) - (frames.cumsum(0) - frames)[row]
    bits = dropout.noise(dropout.row_keys(rows, CPU, "frames")[row], within[:, None], 1).flatten()
    order = (row * 2**32 + bits).argsort()
    # Each row's frames are sorted among themselves, so `within` is also the rank of the frame sorted to that place.
    sampled = torch.zeros(len(row), dtype=torch.bool)
    sampled[order] = within < torch.tensor(counts).clamp(min=1)[row]
    return sampled


def scored_frames(lengths: Tensor, sampled: Tensor | None, seats: int | None) -> tuple[Tensor, Tensor]:
    """Turns the mask of `sample_frames` into indices, padded so that every seat has the same number.

    lengths: [rows] int64, frames of each row. With `seats` the rows are that many equally long runs, and each run's
    frames are padded to the longest run's by repetition; with None nothing is padded.

    Returns the indices of the scored frames among all, [scored] int64, and whether each counts, [scored] bool.
    """
    total = int(lengths.sum())
    scored = torch.arange(total) if sampled is None else sampled.nonzero().flatten()
    if seats is None:
        return scored, torch.ones(len(scored), dtype=torch.bool)
    seat = torch.arange(seats).repeat_interleave(lengths.view(seats, -1).sum(dim=1))[scored]
    count = seat.bincount(minlength=seats)
    within = torch.arange(int(count.max()))
    counts = within < count[:, None]
    source = (count.cumsum(0) - count)[:, None] + torch.where(counts, within, 0)
    return scored[source.flatten()], counts.flatten()
