"""The layout of Project Kathrine: an adapter of the inner transformer, and text_projection in its own file.

The adapter is on `model.talker.model`, one module deeper than in other layouts, and `text_projection.bin` holds the
state dict of `model.talker.text_projection`.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from spaces.errors import InputError
from trainable.qwen3_tts.export.adapter_files import CONFIG, WEIGHTS
from trainable.qwen3_tts.model.lora import PEFT_PREFIX, TEXT_PROJECTION

PROJECTION = "text_projection.bin"


def convert_from_peft(folder: Path) -> None:
    """Rewrites an adapter of the talker in place.

    Raises InputError if it also adapts modules outside the inner transformer.
    """
    tensors = load_file(folder / WEIGHTS)
    prefix = f"{PEFT_PREFIX}{TEXT_PROJECTION}."
    projection = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    lora = {name: value for name, value in tensors.items() if not name.startswith(prefix)}
    outside = sorted(name for name in lora if not name.startswith(f"{PEFT_PREFIX}model."))
    if outside:
        raise InputError(
            f"the kathrine layout holds an adapter of the talker's transformer alone, and this trial also adapts "
            f"{outside[0].removeprefix(PEFT_PREFIX).partition('.lora_')[0]}; export it as peft, alexandria or merged"
        )
    renamed = {PEFT_PREFIX + name.removeprefix(f"{PEFT_PREFIX}model."): value for name, value in lora.items()}
    save_file(renamed, folder / WEIGHTS, metadata={"format": "pt"})
    torch.save(projection, folder / PROJECTION)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    config |= {
        "target_modules": sorted({name.removeprefix(PEFT_PREFIX).partition(".lora_")[0] for name in renamed}),
        "modules_to_save": None,
        "task_type": "FEATURE_EXTRACTION",
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def load_projection(text_projection: nn.Module, path: Path) -> None:
    """Loads the file into the module. Only tensors are read; pickled code is never executed.

    Raises InputError if the file holds anything else, or the weights of another model.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        text_projection.load_state_dict(state)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{path}: not the weights of this model's text_projection ({reason[:200]}); nothing of it was used"
        ) from None
