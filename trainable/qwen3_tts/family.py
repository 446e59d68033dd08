"""The verbs of the Qwen3-TTS family."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spaces.draw import Draw
from trainable.dataset import VoiceDataset
from trainable.qwen3_tts import prepared as data
from trainable.qwen3_tts.check import check_model
from trainable.qwen3_tts.export import load_exported
from trainable.qwen3_tts.learner import QwenLearner
from trainable.qwen3_tts.load import load_base
from trainable.qwen3_tts.lora import attach

__all__ = ["build", "check_model", "export", "load_exported", "prepare"]


def prepare(dataset: VoiceDataset, model: str, folder: Path, on_clip: Callable[[int, int], None]) -> None:
    """See `trainable.family.Family.prepare`. A folder that holds this very dataset already is left as it is."""
    if not data.is_prepared(folder, dataset, model):
        data.prepare(load_base(model), dataset, model, folder, on_clip)


def build(model: str, prepared: Path, language: str, draw: Draw | None, seed: int) -> QwenLearner:
    """See `trainable.family.Family.build`."""
    tts = load_base(model)
    peft = attach(tts.model.talker, draw, seed) if draw is not None else None
    return QwenLearner(tts, data.read_prepared(prepared), language, peft)


def export(learner: QwenLearner, base_model: str, folder: Path) -> None:
    """See `trainable.family.Family.export`."""
    learner.export(base_model, folder)
