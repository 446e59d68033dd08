"""The Qwen3-TTS model family: the functions of `trainable.family.protocol.Family`."""

from collections.abc import Callable
from pathlib import Path

from spaces.qwen3_tts import QwenDraw, QwenPackShape
from trainable.dataset.encoding_plan import EncodingPlan
from trainable.dataset.finding import Finding
from trainable.family.export_request import ExportRequest
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import SeatLimit
from trainable.qwen3_tts.checkpoint.check import check_model, why_not_packed
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.qwen3_tts.data import prepare as preparation
from trainable.qwen3_tts.data import prepared as data
from trainable.qwen3_tts.export.load_exported import load_exported
from trainable.qwen3_tts.export.loading_code import loading_code
from trainable.qwen3_tts.learner import QwenLearner
from trainable.qwen3_tts.model.lora import attach_lora
from trainable.qwen3_tts.packed.pack import QwenPack
from trainable.qwen3_tts.packed.seats_that_fit import seats_that_fit

__all__ = ["build", "build_pack", "check_model", "export", "load_exported", "loading_code", "prepare", "why_not_packed"]


def prepare(
    plan: EncodingPlan, model: str, folder: Path, cache: Path, on_progress: Callable[[int, int], None]
) -> list[Finding]:
    """See `trainable.family.protocol.Family.prepare`. The talker is not loaded."""
    return preparation.prepare(plan, Path(check_model(model)), folder, cache, on_progress)


def build(model: str, prepared: Path, language: str, draw: QwenDraw | None, seed: int) -> QwenLearner:
    """See `trainable.family.protocol.Family.build`."""
    tts = load_base(model)
    peft = attach_lora(tts.model.talker, draw, seed) if draw is not None else None
    return QwenLearner(tts, data.read_prepared(prepared), language, peft, draw, seed)


def build_pack(
    model: str, prepared: Path, language: str, shape: QwenPackShape, seats: SeatLimit, process_group: ProcessGroup
) -> QwenPack:
    """See `trainable.family.protocol.Family.build_pack`."""
    pack = QwenPack(
        load_base(model), data.read_prepared(prepared), language, shape, seats=1, process_group=process_group
    )
    pack.allocate(seats_that_fit(pack, shape, seats))
    return pack


def export(learner: QwenLearner, request: ExportRequest, folder: Path) -> None:
    """See `trainable.family.protocol.Family.export`."""
    learner.export(request, folder)
