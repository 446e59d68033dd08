"""The dropout masks of one forward pass of a pack."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainable.qwen3_tts.data.prepared import CODEBOOKS
from trainable.qwen3_tts.model import dropout
from trainable.qwen3_tts.model.prompt import PromptLayout
from trainable.qwen3_tts.packed.linear import DropoutMasks


def make_masks(
    rows: Sequence[tuple[int, int, int]], layout: PromptLayout, drops: Tensor, talker_width: int, predictor_width: int
) -> DropoutMasks:
    """Trial seed, step and clip of each row of the layout; `drops` [seats, 1, 1], the dropout of each seat.

    The widths are those of the widest inputs; 0 for a code predictor without LoRA. Noise belongs to a position of the
    clip, so that a frame's is the same whichever others are scored.
    """
    device, seats = drops.device, len(drops)
    keys = dropout.row_keys(rows, device)
    at = torch.arange(layout.text_ids.shape[1], device=device).expand(len(rows), -1)
    talker = dropout.noise(keys, at, talker_width)
    predictor = None
    if predictor_width:
        within = layout.frame_at[layout.scored, None] * CODEBOOKS + torch.arange(CODEBOOKS, device=device)
        predictor = dropout.noise(keys[layout.frame_clip[layout.scored]], within, predictor_width)
        predictor = predictor.view(seats, -1, predictor_width)
    return DropoutMasks(dropout.threshold(drops), 1 / (1 - drops), talker.view(seats, -1, talker.shape[-1]), predictor)
