"""Mixed precision: where the base is bfloat16, and which results stay in float32."""

import torch
from torch import Tensor

from trainable.qwen3_tts.model.handles import Model


def mixed_precision(model: Model) -> torch.autocast:
    """bfloat16 autocast if the base is bfloat16, because its trainable weights are float32; otherwise no autocast."""
    return torch.autocast(model.device.type, torch.bfloat16, enabled=model.dtype == torch.bfloat16)


def at_least_float32(logits: Tensor) -> Tensor:
    """The same numbers in float32, or in float64 where they are float64."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
