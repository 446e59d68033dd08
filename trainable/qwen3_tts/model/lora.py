"""Adds LoRA to the talker with PEFT, and a trainable copy of text_projection."""

import re

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn

from spaces.errors import InputError
from spaces.qwen3_tts import QwenDraw

TEXT_PROJECTION = "text_projection"
PEFT_PREFIX = "base_model.model."
"""Starts every name in a PEFT adapter file; the rest is relative to the module that the adapter is on."""


def attach_lora(talker: nn.Module, draw: QwenDraw, seed: int) -> PeftModel:
    """Puts LoRA into the talker in place, and a trainable copy of text_projection beside the frozen one.

    Trainable weights are float32 whatever the dtype of the base: in bfloat16 a step of 1e-6 rounds to zero for 98 % of
    text_projection. The same seed gives the same initial weights. Raises InputError if the targets match no module.
    """
    _check_targets(talker, draw)
    torch.manual_seed(seed)
    config = LoraConfig(
        r=draw.rank,
        lora_alpha=draw.alpha,
        lora_dropout=draw.dropout,
        target_modules=draw.target_pattern,
        modules_to_save=[TEXT_PROJECTION],
        bias="none",
    )
    peft = get_peft_model(talker, config)
    trained = draw.text_projection_lr > 0
    for name, parameter in peft.named_parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
            parameter.requires_grad_(trained or TEXT_PROJECTION not in name)
    return peft


def adapter_tensors(peft: PeftModel) -> dict[str, Tensor]:
    """The live weights of LoRA and text_projection, by their names in a PEFT adapter file."""
    named = dict(peft.named_parameters())
    lora = {name.replace(".default.", "."): value for name, value in named.items() if ".lora_" in name}
    projection = {
        name.replace(".modules_to_save.default", ""): value
        for name, value in named.items()
        if f"{TEXT_PROJECTION}.modules_to_save.default" in name
    }
    return {**lora, **projection}


def _check_targets(talker: nn.Module, draw: QwenDraw) -> None:
    pattern = re.compile(draw.target_pattern)
    linear = [name for name, module in talker.named_modules() if isinstance(module, nn.Linear)]
    if not any(pattern.fullmatch(name) for name in linear):
        raise InputError(
            f"targets: {draw.targets!r} matches none of the talker's {len(linear)} linear modules, such as {linear[0]}"
        )
