"""A whole checkpoint written from another one: its own files, with some weights replaced.

The library's own `save_pretrained` writes a config.json that it cannot read back, so the original files are kept, and
only the tensors change. One file of weights is in memory at a time.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from trainable.qwen3_tts.check import NEEDED
from trainable.qwen3_tts.fingerprint import TEXT_FILES

INDEX = "model.safetensors.index.json"
CODEC = "speech_tokenizer"
Change = Callable[[str, Tensor], Tensor | None]
"""A tensor's name in the checkpoint and its value → what takes its place; None for nothing."""


def write_checkpoint_files(base: Path, folder: Path, config: Mapping[str, Any] | None, change: Change) -> None:
    """Writes `base` anew into `folder`, each tensor in the type it is stored in there.

    `config` takes the place of config.json; None keeps it to the byte. Only files that loading reads are taken over,
    and never a pickle.
    """
    for name in sorted({*NEEDED, *TEXT_FILES} - {"config.json"}):
        if (base / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(base / name, folder / name)
    for weights in sorted((base / CODEC).glob("*.safetensors*")):
        shutil.copyfile(weights, folder / CODEC / weights.name)
    if config is None:
        shutil.copyfile(base / "config.json", folder / "config.json")
    else:
        (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    places: dict[str, str] = {}
    size = 0
    for path in sorted(base.glob("*.safetensors")):
        tensors = {}
        with safe_open(path, framework="pt") as file:
            for name in sorted(file.keys()):
                stored = file.get_tensor(name)
                changed = change(name, stored)
                if changed is not None:
                    tensors[name] = changed.to("cpu", stored.dtype).contiguous()
        if tensors:
            save_file(tensors, folder / path.name, metadata={"format": "pt"})
        places |= dict.fromkeys(tensors, path.name)
        size += sum(tensor.nbytes for tensor in tensors.values())
    if (base / INDEX).is_file():
        index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
