"""Reads the files of a PEFT adapter: whether it is safe to load, and which module of the model it adapts."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from spaces.errors import InputError
from trainable.qwen3_tts.model.lora import PEFT_PREFIX

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
ADAPTED_MODULES = {"talker.": "", "code_predictor.": "talker", "model.layers.": "talker", "layers.": "talker.model"}
"""How the names of weights continue after `PEFT_PREFIX`, and the module of the model that such an adapter is on."""


def read_config(folder: Path) -> dict[str, Any]:
    """Reads the configuration. Raises InputError for an adapter that is not LoRA, or that names code to import."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{path}: not readable as JSON; copy the adapter again") from None
    peft_type = config.get("peft_type") if isinstance(config, dict) else None
    if peft_type != "LORA":
        raise InputError(f"{path}: expected an adapter of peft_type LORA, got {peft_type}")
    if config.get("megatron_config"):
        # PEFT would import the module that `megatron_core` names.
        raise InputError(f"{path}: names code to import (megatron_core); nothing was loaded from it")
    return config


def adapted_module(folder: Path) -> str:
    """Returns the dotted name of the module that the adapter is on; empty for the whole model.

    Raises InputError if the weights cannot be read, or belong to another architecture.
    """
    path = folder / WEIGHTS
    try:
        with safe_open(path, framework="np") as file:
            names = [name for name in sorted(file.keys()) if ".lora_" in name]
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not readable as safetensors ({error}); copy the adapter again") from None
    for name in names:
        for start, module in ADAPTED_MODULES.items():
            if name.removeprefix(PEFT_PREFIX).startswith(start):
                return module
    raise InputError(f"{path}: expected LoRA weights of a Qwen3-TTS talker, got {names[0] if names else 'none'}")
