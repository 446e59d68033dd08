"""A model family small enough to be searched in seconds: a "voice" is one vector.

A clip is a murmur, and training pulls the vector towards the clips. The model murmurs for the right length while the
vector is near, and until the frame cap when it is far away.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from spaces.draw import Draw
from spaces.errors import InputError
from spaces.families import FAMILIES
from spaces.pack_shape import PackShape
from spaces.probe_settings import Sampling
from spaces.qwen3_tts import LOSSES, SUB_WEIGHT
from tests.support.voices import murmur
from trainable.dataset.encoding_plan import EncodingPlan
from trainable.dataset.finding import Finding
from trainable.dataset.split import DatasetSplit
from trainable.family.export_request import ExportRequest
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Batch, ClipLosses, SeatLimit, SeatState, SpeechPrompt, Utterance
from trainable.files.atomic import write_text
from trainable.speech.audio import SAMPLE_RATE
from trainable.stopping.curve import ClipRow
from trainable.training.single_seat import SingleSeatPack

WIDTH = 8
SECONDS_PER_LETTER = 0.06
KILL_ONCE = "TOY_KILL_ONCE"
"""Environment variable with a file's name: the first training step after step 3 creates it and kills its process."""


def check_model(model: str) -> str:
    if not (Path(model) / "toy.json").is_file():
        raise InputError(f"{model}: not a toy model, toy.json is missing; give the folder that make_toy_model wrote")
    return model


def make_toy_model(folder: Path, start: float = 2.0) -> Path:
    """`start` is the distance of the untrained vector from every voice; at 1e30 the loss is not finite."""
    write_text(folder / "toy.json", json.dumps({"start": start}))
    return folder


def prepare(
    plan: EncodingPlan, model: str, folder: Path, cache: Path, on_progress: Callable[[int, int], None]
) -> list[Finding]:
    """Checks that every recording is readable; the targets are drawn from the seed. The split is the marker."""
    for done, item in enumerate(plan.items, start=1):
        item.wave()
        on_progress(done, len(plan.items))
    plan.split.write(folder)
    return []


def build(model: str, prepared: Path, language: str, draw: Draw | None, seed: int) -> ToyLearner:
    start = json.loads((Path(check_model(model)) / "toy.json").read_text())["start"]
    return ToyLearner(DatasetSplit.read(prepared), start, draw, seed)


def why_not_packed(model: str, shape: PackShape) -> str | None:
    return None


def build_pack(
    model: str, prepared: Path, language: str, shape: PackShape, seats: SeatLimit, process_group: ProcessGroup
) -> ToyPack:
    return ToyPack(
        lambda draw, seed: build(model, prepared, language, draw, seed), shape.batch, seats.max_seats, process_group
    )


def export(learner: ToyLearner, request: ExportRequest, folder: Path) -> None:
    """The same file in every layout."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().clone() for name, tensor in learner.tensors().items()}, folder / "toy.safetensors")


def load_exported(
    folder: Path, model: str | None = None, language: str | None = None, reference: Path | None = None
) -> ToySpeaker:
    return ToySpeaker(load_file(folder / "toy.safetensors"))


def _logits(lora: Tensor, projection: Tensor, codes: np.ndarray) -> np.ndarray:
    return np.tile((lora + projection).detach().numpy(), (len(codes) + 1, 1))


def _speak(lora: Tensor, projection: Tensor, prompt: SpeechPrompt) -> Utterance:
    if prompt.instruction:
        raise ValueError(f"expected no instruction, a toy takes none, got {prompt.instruction!r}")
    cap = prompt.frame_cap
    far = float((lora + projection).abs().mean())
    letters = sum(character.isalnum() for character in prompt.text)
    frames = min(cap, round(letters * SECONDS_PER_LETTER * 12.5)) if far < 10 else cap
    wave = murmur(frames / 12.5, min(200 + 20 * far, 2_000))
    codes = np.full((frames, 1), round(1e3 * min(1e6, far)), np.int64)
    return Utterance(wave, frames, cap, eos=frames < cap, codes=codes)


class ToySpeaker:
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._lora, self._projection = tensors["lora_B.weight"], tensors["text_projection.weight"]

    def speak(self, prompt: SpeechPrompt, sampling: Sampling) -> Utterance:
        return _speak(self._lora, self._projection, prompt)

    def teacher_forced_logits(self, text: str, codes: np.ndarray) -> np.ndarray:
        return _logits(self._lora, self._projection, codes)


class ToyPack:
    """Seats that share only the process: each has a learner of its own, and they run one after the other."""

    def __init__(
        self,
        build_learner: Callable[[Draw | None, int], ToyLearner],
        batch: int,
        seats: int,
        process_group: ProcessGroup,
    ) -> None:
        base = build_learner(None, 0)
        self.seats, self.batch, self.device = seats, batch, base.device
        self.split, self.takes_instructions, self.loss_parts = base.split, base.takes_instructions, base.loss_parts
        self.ground_truth, self.speaker_embedding = base.ground_truth, base.speaker_embedding
        self._build_learner, self._group = build_learner, process_group
        self._packs: dict[int, SingleSeatPack] = {}

    def join(self, seat: int, draw: Draw, seed: int) -> None:
        assert seat not in self._packs
        self._packs[seat] = SingleSeatPack(self._build_learner(draw, seed), draw, self._group)
        self._packs[seat].join(0, draw, seed)

    def leave(self, seat: int) -> None:
        self._packs.pop(seat, None)

    def losses(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        return {seat: self._packs[seat].losses({0: batch})[0] for seat, batch in batches.items()}

    def validate(self, seats: Sequence[int], clips: Sequence[int]) -> dict[int, list[ClipRow]]:
        return {seat: self._packs[seat].validate([0], clips)[0] for seat in seats}

    def accumulate(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        return {seat: self._packs[seat].accumulate({0: batch})[0] for seat, batch in batches.items()}

    def step(self, lr_factors: Mapping[int, float]) -> dict[int, float]:
        return {seat: self._packs[seat].step({0: factor})[0] for seat, factor in lr_factors.items()}

    def state(self, seat: int) -> SeatState:
        return self._packs[seat].state(0)

    def snapshot(self, seat: int) -> Callable[[], SeatState]:
        return self._packs[seat].snapshot(0)

    def load(self, seat: int, state: SeatState) -> None:
        self._packs[seat].load(0, state)

    def speak(
        self, seats: Sequence[int], prompts: Sequence[SpeechPrompt], sampling: Sampling
    ) -> dict[int, list[Utterance]]:
        return {seat: self._packs[seat].speak([0], prompts, sampling)[0] for seat in seats}


class ToyLearner:
    """Loss of clip i: 0.5 + mean of (lora + projection - target_i)²; all parts of the loss are the same number.

    The LoRA starts at `start`. All speakers sound alike, and every frame always counts.
    """

    takes_instructions = False
    loss_parts = tuple(LOSSES)

    def __init__(self, split: DatasetSplit, start: float, draw: Draw | None, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.split = split
        self.device = torch.device("cpu")
        self._targets = 0.1 * torch.randn(len(split.entries), WIDTH, generator=generator)
        self._lora = torch.nn.Parameter(torch.full((WIDTH,), start), requires_grad=draw is not None)
        self._projection = torch.nn.Parameter(torch.zeros(WIDTH), requires_grad=draw is not None)
        self._dropout = torch.nn.Dropout(draw.dropout if draw else 0.0)
        self._extra = draw.sub_weight - SUB_WEIGHT if draw else 0.0
        self._steps = 0

    def parameter_groups(self, draw: Draw) -> list[dict]:
        return [
            {"name": "lora", "params": [self._lora], "lr": draw.lora_lr},
            {"name": "text_projection", "params": [self._projection], "lr": draw.text_projection_lr},
        ]

    def losses(self, clips: Sequence[int], step: int) -> ClipLosses:
        self._steps += torch.is_grad_enabled()
        _die_once(self._steps)
        distance = self._dropout(self._lora) + self._projection - self._targets[list(clips)]
        loss = 0.5 + distance.square().mean(dim=1)
        return ClipLosses(dict.fromkeys(self.loss_parts, loss), (1 + self._extra) * loss)

    def train(self) -> None:
        self._dropout.train()

    def eval(self) -> None:
        self._dropout.eval()

    def tensors(self) -> dict[str, Tensor]:
        return {"lora_B.weight": self._lora, "text_projection.weight": self._projection}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.tensors().items():
                parameter.copy_(tensors[name])

    def speak(self, prompts: Sequence[SpeechPrompt], sampling: Sampling) -> list[Utterance]:
        with torch.no_grad():
            return [_speak(self._lora, self._projection, prompt) for prompt in prompts]

    def teacher_forced_logits(self, text: str, codes: np.ndarray) -> np.ndarray:
        return _logits(self._lora, self._projection, codes)

    def ground_truth(self, clip: int) -> np.ndarray:
        return murmur(self.split.entries[clip].seconds)

    def speaker_embedding(self, wave: np.ndarray) -> np.ndarray:
        spectrum = np.abs(np.fft.rfft(wave[:SAMPLE_RATE], SAMPLE_RATE))
        return spectrum[100:500].reshape(40, 10).mean(axis=1).astype(np.float32)


def _die_once(step: int) -> None:
    marker = os.environ.get(KILL_ONCE)
    if marker and step > 3 and not Path(marker).exists():
        Path(marker).touch()
        os._exit(1)


FAMILIES["toy"] = dataclasses.replace(
    FAMILIES["qwen3_tts"], module=__name__, pack_shape=PackShape, check=None, size=None
)
