"""Adapters on a pack and their gradients, for tests that compare them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from trainable.family.protocol import SeatState

FIRST_MOMENT = 0.1
"""The share of the gradient that Adam's first moments hold after one step."""


def grown(state: SeatState, seed: int) -> dict[str, Tensor]:
    """Weights as if they had been trained. Initially B is zero, and therefore the gradient of A."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: tensor + 0.05 * torch.randn(tensor.shape, generator=generator).to(tensor.dtype)
        for name, tensor in state.weights.items()
    }


def gradients(moments: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Reads them from the optimizer: after one step without clipping the first moments are a tenth of them."""
    suffix = ".exp_avg"
    return {
        name.removesuffix(suffix): moment / FIRST_MOMENT for name, moment in moments.items() if name.endswith(suffix)
    }
