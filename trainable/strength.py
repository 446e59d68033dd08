"""Weaker doses of an adapter, without training it again."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

SCALED = "lora_B"
"""A LoRA adds B·A·x; its B at half the size is half of the LoRA. `text_projection` is trained in place and stays."""


def has_strength(weights: Mapping[str, Tensor]) -> bool:
    """Whether there is a LoRA among a trial's weights."""
    return any(_is_scaled(name) for name in weights)


def at_strength(weights: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
    """The same weights with the LoRA's output multiplied by `strength`; at 1 they are the weights themselves."""
    if strength == 1:
        return dict(weights)
    return {name: tensor * strength if _is_scaled(name) else tensor for name, tensor in weights.items()}


def _is_scaled(name: str) -> bool:
    return SCALED in name.split(".")
