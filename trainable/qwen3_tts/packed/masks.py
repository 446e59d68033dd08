"""The dropout masks of one forward pass of a pack."""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainable.qwen3_tts.checkpoint.size import CODEBOOKS
from trainable.qwen3_tts.model import dropout
from trainable.qwen3_tts.model.prompt import PromptLayout
from trainable.qwen3_tts.packed.linear import DropoutMasks


def make_masks(
    rows: Sequence[dropout.RowId],
    layout: PromptLayout,
    probabilities: Tensor,
    talker_width: int,
    predictor_width: int,
) -> DropoutMasks:
    """rows: the ids of the layout's rows; probabilities: [seats, 1, 1] float, the dropout of each seat.

    The widths are those of the widest packed inputs, 0 for a code predictor without LoRA. Noise belongs to a position
    of the clip, so a frame's noise does not depend on which other frames are scored.
    """
    device, seats = probabilities.device, len(probabilities)
    keys = dropout.row_keys(rows, device)
    positions = torch.arange(layout.text_ids.shape[1], device=device).expand(len(rows), -1)
    talker = dropout.noise(keys, positions, talker_width).view(seats, positions.numel() // seats, talker_width)
    predictor = None
    if predictor_width:
        frame_positions = layout.frame_position[layout.scored, None]
        positions = frame_positions * CODEBOOKS + torch.arange(CODEBOOKS, device=device)
        predictor = dropout.noise(keys[layout.frame_clip[layout.scored]], positions, predictor_width)
        predictor = predictor.view(seats, -1, predictor_width)
    return DropoutMasks(dropout.threshold(probabilities), 1 / (1 - probabilities), talker, predictor)
