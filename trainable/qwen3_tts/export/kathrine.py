"""The layout of a trainer that adapts the inner transformer and keeps text_projection in a file of its own.

Its adapter sits on `model.talker.model`, one module deeper than others, and `text_projection.bin` holds the state dict
of `model.talker.text_projection`. (Project Kathrine's scripts write and load both.)
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from spaces.errors import InputError
from trainable.qwen3_tts.export.adapter_files import CONFIG, OUTER, WEIGHTS
from trainable.qwen3_tts.model.lora import TEXT_PROJECTION

PROJECTION = "text_projection.bin"


def from_peft(folder: Path) -> None:
    """Rewrites an adapter of the talker in this folder. Raises InputError where it reaches beyond the transformer."""
    tensors = load_file(folder / WEIGHTS)
    own = f"{OUTER}{TEXT_PROJECTION}."
    projection = {name.removeprefix(own): value for name, value in tensors.items() if name.startswith(own)}
    lora = {name: value for name, value in tensors.items() if not name.startswith(own)}
    beyond = sorted(name for name in lora if not name.startswith(f"{OUTER}model."))
    if beyond:
        raise InputError(
            f"the kathrine layout holds an adapter of the talker's transformer alone, and this trial also adapts "
            f"{beyond[0].removeprefix(OUTER).partition('.lora_')[0]}; export it as peft, alexandria or merged"
        )
    renamed = {OUTER + name.removeprefix(f"{OUTER}model."): value for name, value in lora.items()}
    save_file(renamed, folder / WEIGHTS, metadata={"format": "pt"})
    torch.save(projection, folder / PROJECTION)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    config |= {
        "target_modules": sorted({name.removeprefix(OUTER).partition(".lora_")[0] for name in renamed}),
        "modules_to_save": None,
        "task_type": "FEATURE_EXTRACTION",
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def load_projection(text_projection: nn.Module, path: Path) -> None:
    """Puts the file's weights into the module. Nothing in it is executed: tensors alone are read.

    Raises InputError when it holds anything else, or the weights of another model.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        text_projection.load_state_dict(state)
    except Exception as error:
        told = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{path}: not the weights of this model's text_projection ({told[:200]}); nothing of it was used"
        ) from None
