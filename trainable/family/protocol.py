"""The protocol between a model family and the rest of the project.

A family is a module under `trainable/` with the functions of `Family`. `prepare` encodes the clips once; `build` makes
a model for one draw, and `build_pack`, if the family packs draws, a base model with seats for trials. The training
loop, the probe and the export use nothing else.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from spaces.draw import Draw
from spaces.pack_shape import PackShape
from spaces.probe_settings import Sampling
from trainable.dataset.encoding_plan import EncodingPlan
from trainable.dataset.finding import Finding
from trainable.dataset.split import DatasetSplit
from trainable.family.export_request import ExportRequest
from trainable.family.process_group import ProcessGroup
from trainable.stopping.curve import ClipRow


@dataclass(frozen=True)
class ClipLosses:
    """Losses of the clips of one forward pass, each `[clips]` float32."""

    parts: Mapping[str, Tensor]
    """Every part that is logged, in the order of `loss_parts`."""
    training: Tensor
    """What is differentiated, with a gradient where the model is trained. A band looks at the objective's part."""


@dataclass(frozen=True)
class SpeechPrompt:
    """A line to be spoken."""

    text: str
    seed: int
    """The line is sampled from this seed alone, whatever else is in the batch."""
    frame_cap: int
    """Frames, 12.5 per second, after which the line is cut if it has not ended."""
    instruction: str | None = None
    """How to say the line, in words, for a model that takes instructions; empty counts as None."""


@dataclass(frozen=True)
class Utterance:
    """A prompt as the model spoke it."""

    wave: np.ndarray
    """[samples] float32 at 24 kHz."""
    frames: int
    frame_cap: int
    eos: bool
    """Whether the model itself ended the line. Where codes are sampled, the end code says so, not the length."""
    codes: np.ndarray | None = None
    """[frames, codebooks] int64 that the wave was decoded from; None for a family without codes."""


@dataclass(frozen=True)
class SeatLimit:
    """How many trials may share one base model."""

    max_seats: int
    memory: float | None = None
    """Bytes for all seats together; None for what the GPU has free. Not used when `exact`."""
    exact: bool = False
    """Whether there are to be `max_seats` seats whatever the memory."""
    reserved: float = 0.0
    """Bytes that other models will take, such as the probe's recogniser. Not used when `exact`."""


class ListenableModel(Protocol):
    """A model that the probe can listen to, with the recordings it is compared with."""

    split: DatasetSplit
    """Every prepared clip and its role; elsewhere a clip is its index in `split.entries`."""
    takes_instructions: bool
    """Whether a prompt may have an instruction."""

    def ground_truth(self, clip: int) -> np.ndarray:
        """A clip of the dataset, encoded and decoded by the codec: [samples] float32 at 24 kHz."""
        ...

    def speaker_embedding(self, wave: np.ndarray) -> np.ndarray:
        """wave: [samples] float32 at 24 kHz → [dimensions] float32, by the model's own speaker encoder."""
        ...


class Learner(ListenableModel, Protocol):
    """A model for one trial, with trainable weights; or the base model itself, without any."""

    loss_parts: tuple[str, ...]
    """Names of the parts of its losses. A part `eos`, if there is one, is −log of the probability of the end of speech
    where a clip ends."""

    def parameter_groups(self, draw: Draw) -> list[dict]:
        """Groups for `torch.optim.AdamW`: `params`, `lr`, and `name`, as in the draw's `lrs`."""
        ...

    def losses(self, clips: Sequence[int], step: int) -> ClipLosses:
        """Forward pass over these clips, in the mode that `train` or `eval` has set.

        What a draw leaves to chance is selected by the optimizer step. In step 0 (the first pass) and in evaluation
        mode every frame counts.
        """
        ...

    def train(self) -> None: ...

    def eval(self) -> None: ...

    def tensors(self) -> dict[str, Tensor]:
        """The trainable weights by the names that checkpoints and exported adapters use."""
        ...

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Loads what `tensors` returned. Raises KeyError or ValueError on other names or shapes."""
        ...

    def speak(self, prompts: Sequence[SpeechPrompt], sampling: Sampling) -> list[Utterance]:
        """Speaks the prompts as one batch in the first speaker's voice, each sampled from its own seed alone.

        Raises ValueError for a prompt with an instruction where the model takes none.
        """
        ...


class CodeModel(Protocol):
    """What a learner and a synthesiser offer besides if their utterances have codes."""

    def teacher_forced_logits(self, text: str, codes: np.ndarray) -> np.ndarray:
        """Logits of the first codebook at each frame of an utterance, given the frames before it, and after the last:
        [frames + 1, vocabulary] float32, in the first speaker's voice. codes: [frames, codebooks] int64."""
        ...


@dataclass(frozen=True)
class Batch:
    """One seat's part of a forward pass."""

    clips: Sequence[int]
    step: int
    """The optimizer step, from 1; 0 for the first pass. Dropout depends on it."""
    weight: float = 0.0
    """Weight of each clip's loss in the gradient."""


@dataclass(frozen=True)
class SeatState:
    """A seat's trainable weights and their AdamW moments, by the names that exported adapters use."""

    weights: Mapping[str, Tensor]
    moments: Mapping[str, Tensor]
    """`NAME.exp_avg` and `NAME.exp_avg_sq`; empty before the first step, and in a snapshot."""
    step: int
    """Optimizer steps taken."""


class Pack(ListenableModel, Protocol):
    """Seats for trials on one frozen base model, which one forward pass serves together.

    The results of a seat do not depend on the other seats, up to the rounding of sums in another order.
    """

    seats: int
    loss_parts: tuple[str, ...]
    """Names of the losses in a clip's row; see `Learner.loss_parts`."""
    batch: int
    """Maximum number of clips per seat in one forward pass."""
    device: torch.device

    def join(self, seat: int, draw: Draw, seed: int) -> None:
        """Puts this draw into a free seat. Its initial weights are a pure function of seed and draw."""
        ...

    def leave(self, seat: int) -> None: ...

    def losses(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        """Each seat's losses on its clips, in training mode, without gradient."""
        ...

    def validate(self, seats: Sequence[int], clips: Sequence[int]) -> dict[int, list[ClipRow]]:
        """Losses of the same clips, at most `batch`, in each of these seats, in evaluation mode: no dropout, and every
        frame counts. Every process of a group computes all of them."""
        ...

    def accumulate(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        """As `losses`; also adds the gradient of each clip's training loss × `Batch.weight` to the seat's gradient."""
        ...

    def step(self, lr_factors: Mapping[int, float]) -> dict[int, float]:
        """One AdamW step of these seats with the accumulated gradients, their learning rates × `lr_factors`.

        Sums the gradients over the process group. Returns each seat's joint gradient norm before clipping.
        """
        ...

    def state(self, seat: int) -> SeatState:
        """A copy of the seat's state on the CPU."""
        ...

    def snapshot(self, seat: int) -> Callable[[], SeatState]:
        """Copies the seat's weights on the device, which is cheap. The returned function moves them to the CPU, without
        moments."""
        ...

    def load(self, seat: int, state: SeatState) -> None:
        """Loads what `state` returned. Raises KeyError on other names."""
        ...

    def speak(
        self, seats: Sequence[int], prompts: Sequence[SpeechPrompt], sampling: Sampling
    ) -> dict[int, list[Utterance]]:
        """Speaks all prompts in each of these seats, as one batch, each sampled from its own seed in any seat.

        Raises ValueError for a prompt with an instruction where the model takes none."""
        ...


class Family(Protocol):
    """The functions of a model family's module."""

    def check_model(self, model: str) -> str:
        """The folder of the model, downloaded when it is a hub id. Raises InputError when the model is not of this
        family, or cannot be downloaded."""
        ...

    def prepare(
        self, plan: EncodingPlan, model: str, folder: Path, cache: Path, on_progress: Callable[[int, int], None]
    ) -> list[Finding]:
        """Encodes every item of the plan into `folder`, with the split, and a completion marker last.

        Items in `cache` are not encoded again. `on_progress(done, of)` is called after each item. Returns findings
        about the dataset that only the encoded data shows. With an error among them no marker is written.
        """
        ...

    def build(self, model: str, prepared: Path, language: str, draw: Draw | None, seed: int) -> Learner:
        """A model for one draw, or the base model when `draw` is None. Initial weights come from `seed`."""
        ...

    def export(self, learner: Learner, request: ExportRequest, folder: Path) -> None:
        """Writes a trained model into an empty folder, as inference loads it. Raises InputError where the layout
        cannot hold what was trained."""
        ...

    def loading_code(self, layout: str, base_model: str, shown_base: str, voice: str, language: str) -> str:
        """Python code for a model card: loads an export of this layout in the folder `DIR`, with plain libraries.
        `shown_base` stands for the base model in the code, `voice` is the name of the dataset."""
        ...

    def load_exported(
        self, folder: Path, model: str | None = None, language: str | None = None, reference: Path | None = None
    ) -> Synthesiser:
        """Loads an export of any layout, or the files of another trainer.

        `model` overrides the base model that an adapter names, `language` the language of its training, and
        `reference`, a recording, its voice. Raises InputError where nothing can be loaded, or no voice is known.
        """
        ...


class PackingFamily(Family, Protocol):
    """A family whose entry in `spaces/families.py` has a shape of packs."""

    def why_not_packed(self, model: str, shape: PackShape) -> str | None:
        """Why draws of this shape cannot be packed, in a few words; None when they can."""
        ...

    def build_pack(
        self, model: str, prepared: Path, language: str, shape: PackShape, seats: SeatLimit, process_group: ProcessGroup
    ) -> Pack:
        """A base model with as many free seats of this shape as `seats` and the memory allow, at least one."""
        ...


class Synthesiser(Protocol):
    """An exported model, loaded without the prepared data."""

    def speak(self, prompt: SpeechPrompt, sampling: Sampling) -> Utterance:
        """Raises ValueError for a prompt with an instruction where the model takes none."""
        ...


def load_family(module: str) -> PackingFamily:
    """Imports the family's module, without what libraries print. Without a shape of packs in its entry, it lacks the
    functions of `PackingFamily` beyond those of `Family`."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return importlib.import_module(module)  # type: ignore[return-value]
