"""A model family small enough to be searched in seconds: a "voice" is one vector, without LoRA and without codes.

A clip is a murmur, and training pulls the vector towards the clips. The model murmurs for the right length while the
vector is near, and until the frame cap when it is far away.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor

from spaces.draw import Draw
from spaces.errors import InputError
from spaces.export_layout import ExportLayout
from spaces.families import FAMILIES, FamilyEntry
from spaces.pack_shape import PackShape
from spaces.probe_settings import Sampling
from tests.support.toy_pack import ToyPack
from tests.support.voices import murmur
from trainable.dataset.encoding_plan import EncodingPlan
from trainable.dataset.finding import Finding
from trainable.dataset.split import DatasetSplit
from trainable.family.export_request import ExportRequest
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import ClipLosses, SeatLimit, SpeechPrompt, Utterance
from trainable.files.atomic import write_text
from trainable.speech.audio import SAMPLE_RATE

WIDTH = 8
SECONDS_PER_LETTER = 0.06


class ToyDraw(Draw):
    objective: Literal["distance", "doubled"]
    vector_lr: float = Field(gt=0, le=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    weight: float = Field(default=1.0, gt=0, description="of the loss in training; the logged losses leave it out")


class ToyLayout(ExportLayout):
    VECTOR = "vector", "a vector for {base}", "safetensors"
    WITH_REFERENCE = "with_reference", "a vector for {base}, with a recording", "safetensors", True
    WHOLE = "whole", "{base} with another vector"


FAMILIES["toy"] = FamilyEntry(
    module=__name__,
    draw=ToyDraw,
    losses={"distance": "0.5 + the mean of (vector - target of the clip)²", "doubled": "twice that"},
    objectives=("distance", "doubled"),
    loss_unit="squared units",
    layouts=ToyLayout,
    tags=("toy",),
    columns={"vector lr": "vector_lr"},
    pack_shape=PackShape,
)


def make_toy_model(folder: Path, start: float = 2.0) -> Path:
    """`start` is the distance of the untrained vector from every voice; at 1e30 the loss is not finite."""
    write_text(folder / "toy.json", json.dumps({"start": start}))
    return folder


def check_model(model: str) -> str:
    if not (Path(model) / "toy.json").is_file():
        raise InputError(f"{model}: not a toy model, toy.json is missing; give the folder that make_toy_model wrote")
    return model


def prepare(
    plan: EncodingPlan, model: str, folder: Path, cache: Path, on_progress: Callable[[int, int], None]
) -> list[Finding]:
    """Checks that every recording is readable; the targets are drawn from the seed. The split is the marker."""
    for done, item in enumerate(plan.items, start=1):
        item.wave()
        on_progress(done, len(plan.items))
    plan.split.write(folder)
    return []


def build(model: str, prepared: Path, language: str, draw: ToyDraw | None, seed: int) -> ToyLearner:
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


def loading_code(layout: str, base_model: str, shown_base: str, voice: str, language: str) -> str:
    return 'weights = load_file("DIR/toy.safetensors")'


def load_exported(
    folder: Path, model: str | None = None, language: str | None = None, reference: Path | None = None
) -> ToySpeaker:
    return ToySpeaker(load_file(folder / "toy.safetensors")["vector"])


class ToySpeaker:
    def __init__(self, vector: Tensor) -> None:
        self._vector = vector

    def speak(self, prompt: SpeechPrompt, sampling: Sampling) -> Utterance:
        if prompt.instruction:
            raise ValueError(f"expected no instruction, a toy takes none, got {prompt.instruction!r}")
        cap, far = prompt.frame_cap, float(self._vector.abs().mean())
        letters = sum(character.isalnum() for character in prompt.text)
        frames = min(cap, round(letters * SECONDS_PER_LETTER * 12.5)) if far < 10 else cap
        return Utterance(murmur(frames / 12.5, min(200 + 20 * far, 2_000)), frames, cap, eos=frames < cap)


class ToyLearner:
    """The vector starts at `start`. All speakers sound alike."""

    takes_instructions = False
    loss_parts = tuple(FAMILIES["toy"].losses)

    def __init__(self, split: DatasetSplit, start: float, draw: ToyDraw | None, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.split, self.device = split, torch.device("cpu")
        self._targets = 0.1 * torch.randn(len(split.entries), WIDTH, generator=generator)
        self._vector = torch.nn.Parameter(torch.full((WIDTH,), start), requires_grad=draw is not None)
        self._dropout = torch.nn.Dropout(draw.dropout if draw else 0.0)
        self._draw = draw

    def parameter_groups(self, draw: ToyDraw) -> list[dict]:
        return [{"name": "vector", "params": [self._vector], "lr": draw.vector_lr}]

    def losses(self, clips: Sequence[int], step: int) -> ClipLosses:
        distance = 0.5 + (self._dropout(self._vector) - self._targets[list(clips)]).square().mean(dim=1)
        parts = {"distance": distance, "doubled": 2 * distance}
        return ClipLosses(parts, parts[self._draw.objective] * self._draw.weight if self._draw else distance)

    def train(self) -> None:
        self._dropout.train()

    def eval(self) -> None:
        self._dropout.eval()

    def tensors(self) -> dict[str, Tensor]:
        return {"vector": self._vector}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            self._vector.copy_(*tensors.values())

    def speak(self, prompts: Sequence[SpeechPrompt], sampling: Sampling) -> list[Utterance]:
        return [ToySpeaker(self._vector.detach()).speak(prompt, sampling) for prompt in prompts]

    def ground_truth(self, clip: int) -> np.ndarray:
        return murmur(self.split.entries[clip].seconds)

    def speaker_embedding(self, wave: np.ndarray) -> np.ndarray:
        spectrum = np.abs(np.fft.rfft(wave[:SAMPLE_RATE], SAMPLE_RATE))
        return spectrum[100:500].reshape(40, 10).mean(axis=1).astype(np.float32)
