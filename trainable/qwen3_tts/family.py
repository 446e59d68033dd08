"""The verbs of the Qwen3-TTS family."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spaces.draw import Draw
from spaces.pack_shape import PackShape
from trainable.crew import Crew
from trainable.dataset import VoiceDataset
from trainable.family import SeatCount
from trainable.qwen3_tts import prepared as data
from trainable.qwen3_tts.check import check_model, why_not_packed
from trainable.qwen3_tts.export import load_exported
from trainable.qwen3_tts.learner import QwenLearner
from trainable.qwen3_tts.load import load_base
from trainable.qwen3_tts.lora import attach
from trainable.qwen3_tts.pack import QwenPack
from trainable.qwen3_tts.room import seats_that_fit

__all__ = ["build", "build_pack", "check_model", "export", "load_exported", "prepare", "why_not_packed"]


def prepare(dataset: VoiceDataset, model: str, folder: Path, on_clip: Callable[[int, int], None]) -> None:
    """See `trainable.family.Family.prepare`. A folder that holds this very dataset already is left as it is."""
    if not data.is_prepared(folder, dataset, model):
        data.prepare(load_base(model), dataset, model, folder, on_clip)


def build(model: str, prepared: Path, language: str, draw: Draw | None, seed: int) -> QwenLearner:
    """See `trainable.family.Family.build`."""
    tts = load_base(model)
    peft = attach(tts.model.talker, draw, seed) if draw is not None else None
    return QwenLearner(tts, data.read_prepared(prepared), language, peft)


def build_pack(model: str, prepared: Path, language: str, shape: PackShape, seats: SeatCount, crew: Crew) -> QwenPack:
    """See `trainable.family.Family.build_pack`."""
    pack = QwenPack(load_base(model), data.read_prepared(prepared), language, shape, seats=1, crew=crew)
    pack.allocate(seats_that_fit(pack, shape, seats))
    return pack


def export(learner: QwenLearner, base_model: str, folder: Path) -> None:
    """See `trainable.family.Family.export`."""
    learner.export(base_model, folder)
