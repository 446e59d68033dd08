"""The files of a PEFT adapter: on which module of the model it sits, and whether it can be trusted to load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from spaces.errors import InputError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
OUTER = "base_model.model."
"""What every name in an adapter's weights begins with; the rest is relative to the module it sits on."""
SEATS = {"talker.": "", "code_predictor.": "talker", "model.layers.": "talker", "layers.": "talker.model"}
"""How names go on after that, and the module of the model that such an adapter sits on."""


def read_config(folder: Path) -> dict[str, Any]:
    """An adapter's configuration. Raises InputError for one that is no LoRA, or that names code to import."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{path}: not readable as JSON; copy the adapter again") from None
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind != "LORA":
        raise InputError(f"{path}: expected an adapter of peft_type LORA, got {kind}")
    if config.get("megatron_config"):
        # PEFT would import whatever module `megatron_core` names.
        raise InputError(f"{path}: names code to import (megatron_core); nothing was loaded from it")
    return config


def seat_of(folder: Path) -> str:
    """The dotted name of the module that the adapter sits on: empty for the whole model.

    Raises InputError when the weights cannot be read or belong to no such model.
    """
    path = folder / WEIGHTS
    try:
        with safe_open(path, framework="np") as file:
            names = [name for name in sorted(file.keys()) if ".lora_" in name]
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not readable as safetensors ({error}); copy the adapter again") from None
    for name in names:
        for start, seat in SEATS.items():
            if name.removeprefix(OUTER).startswith(start):
                return seat
    raise InputError(f"{path}: expected LoRA weights of a Qwen3-TTS talker, got {names[0] if names else 'none'}")
