"""Which frames the sub-talker is scored on: a share of each clip's, drawn anew in every step.

The code predictor runs through 16 positions for every frame that it is scored on, which is a large part of a step. A
clip's mean over frames that were drawn evenly is an unbiased estimate of its mean over all of them. The draw is a hash
of (trial seed, optimizer step, clip, frame), as dropout's masks are: a resumed trial, another seat and another member
of a crew draw the same frames.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from trainable.qwen3_tts import dropout

CPU = torch.device("cpu")
ROUNDING = 1e-9
"""0.07 × 100 is a little more than 7 in floating point; 7 frames are meant."""


def picked_frames(
    lengths: Sequence[int], rows: Sequence[tuple[int, int, int]], shares: Sequence[float]
) -> Tensor | None:
    """Frames of each row's clip, (trial seed, step, clip) of each row, and the share of its frames that is scored.

    Returns [frames of all rows] bool with ceil(share × frames) of each row, or None where every frame is scored. In a
    step 0, which trains nothing, every frame is, whatever the share.
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
    # A row's frames are sorted among themselves, so that `within` is also the rank of the frame that came there.
    picked = torch.zeros(len(row), dtype=torch.bool)
    picked[order] = within < torch.tensor(counts).clamp(min=1)[row]
    return picked


def scored_frames(lengths: Tensor, picked: Tensor | None, equal_parts: int | None) -> tuple[Tensor, Tensor]:
    """lengths: [rows], frames of each; picked: as `picked_frames` returns.

    Returns the places of the scored frames among all, [scored] int64, and which of them count, [scored] bool. With
    `equal_parts` the rows are that many runs of equally many rows, and each run's scored frames are filled up to those
    of the longest run with repetitions that do not count.
    """
    total = int(lengths.sum())
    scored = torch.arange(total) if picked is None else picked.nonzero().flatten()
    if equal_parts is None:
        return scored, torch.ones(len(scored), dtype=torch.bool)
    part = torch.arange(equal_parts).repeat_interleave(lengths.view(equal_parts, -1).sum(dim=1))[scored]
    count = part.bincount(minlength=equal_parts)
    within = torch.arange(int(count.max()))
    counts = within < count[:, None]
    source = (count.cumsum(0) - count)[:, None] + torch.where(counts, within, 0)
    return scored[source.flatten()], counts.flatten()
