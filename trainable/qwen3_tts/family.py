"""The verbs of the Qwen3-TTS family."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spaces.draw import Draw
from spaces.pack_shape import PackShape
from trainable.crew import Crew
from trainable.dataset.finding import Finding
from trainable.dataset.lineup import Lineup
from trainable.export_request import ExportRequest
from trainable.family import SeatCount
from trainable.qwen3_tts import preparation
from trainable.qwen3_tts import prepared as data
from trainable.qwen3_tts.check import check_model, why_not_packed
from trainable.qwen3_tts.learner import QwenLearner
from trainable.qwen3_tts.load import load_base
from trainable.qwen3_tts.lora import attach
from trainable.qwen3_tts.pack import QwenPack
from trainable.qwen3_tts.reading import load_exported
from trainable.qwen3_tts.room import seats_that_fit

__all__ = ["build", "build_pack", "check_model", "export", "load_exported", "prepare", "why_not_packed"]


def prepare(
    lineup: Lineup, model: str, folder: Path, cache: Path, on_progress: Callable[[int, int], None]
) -> list[Finding]:
    """See `trainable.family.Family.prepare`. The talker is not loaded."""
    return preparation.prepare(lineup, Path(check_model(model)), folder, cache, on_progress)


def build(model: str, prepared: Path, language: str, draw: Draw | None, seed: int) -> QwenLearner:
    """See `trainable.family.Family.build`."""
    tts = load_base(model)
    peft = attach(tts.model.talker, draw, seed) if draw is not None else None
    share = draw.sub_frames if draw is not None else 1.0
    return QwenLearner(tts, data.read_prepared(prepared), language, peft, share, seed)


def build_pack(model: str, prepared: Path, language: str, shape: PackShape, seats: SeatCount, crew: Crew) -> QwenPack:
    """See `trainable.family.Family.build_pack`."""
    pack = QwenPack(load_base(model), data.read_prepared(prepared), language, shape, seats=1, crew=crew)
    pack.allocate(seats_that_fit(pack, shape, seats))
    return pack


def export(learner: QwenLearner, request: ExportRequest, folder: Path) -> None:
    """See `trainable.family.Family.export`."""
    learner.export(request, folder)
