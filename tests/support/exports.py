"""Adapters that look trained, and checkpoints in other dtypes and files, for tests of exports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from spaces.qwen3_tts import QwenDraw, QwenLayout
from tests.support.qwen_fixtures import Tiny
from trainable.family.export_request import ExportRequest
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.qwen3_tts.learner import QwenLearner
from trainable.qwen3_tts.model.lora import attach_lora

WEIGHTS = "model.safetensors"


def stored_as(checkpoint: Path, folder: Path, dtype: torch.dtype) -> Path:
    """Copies a checkpoint and stores its weights in that dtype."""
    shutil.copytree(checkpoint, folder)
    save_file({name: value.to(dtype) for name, value in load_file(checkpoint / WEIGHTS).items()}, folder / WEIGHTS)
    return folder


def in_two_files(checkpoint: Path, folder: Path) -> Path:
    """Copies a checkpoint and stores its weights in two files with an index, as large ones are published."""
    shutil.copytree(checkpoint, folder)
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names = sorted(tensors)
    weight_map = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    return folder


def trained_learner(checkpoint: Path, tiny: Tiny, draw: QwenDraw, language: str = "auto") -> QwenLearner:
    """Builds an adapter whose weights are all far from their initial values."""
    tts = load_base(str(checkpoint))
    made = QwenLearner(tts, tiny.data(), language, attach_lora(tts.model.talker, draw, seed=1))
    torch.manual_seed(2)
    with torch.no_grad():
        for value in made.tensors().values():
            value.add_(0.1 * torch.randn_like(value))
    made.eval()
    return made


def request(checkpoint: Path, layout: QwenLayout, **given) -> ExportRequest:
    return ExportRequest(layout, str(checkpoint), str(checkpoint), "somebody", **given)
