"""Scaling the LoRA of a trial."""

from __future__ import annotations

import torch

from trainable.stages.confirm import has_lora, scale_lora

WEIGHTS = {
    "layers.0.q_proj.lora_A.weight": torch.ones(2, 3),
    "layers.0.q_proj.lora_B.weight": torch.full((3, 2), 4.0),
    "text_projection.weight": torch.ones(3),
    "not_lora_Bs.weight": torch.ones(1),
}


def test_only_lora_b_is_scaled() -> None:
    half = scale_lora(WEIGHTS, 0.5)
    assert half.keys() == WEIGHTS.keys()
    assert torch.equal(half.pop("layers.0.q_proj.lora_B.weight"), torch.full((3, 2), 2.0))
    assert all(torch.equal(tensor, WEIGHTS[name]) for name, tensor in half.items())


def test_at_full_strength_the_weights_are_the_same() -> None:
    assert all(scale_lora(WEIGHTS, 1.0)[name] is tensor for name, tensor in WEIGHTS.items())


def test_weights_without_a_lora_have_no_strength() -> None:
    assert has_lora(WEIGHTS)
    assert not has_lora({"text_projection.weight": torch.ones(1)})
