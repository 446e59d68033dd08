"""The seam between the loop and a model family.

A family is a module under `trainable/` that has the verbs of `Family`. `prepare` turns clips into prepared data once;
`build_pack` gives a base with seats for trials, `build` a model for one; loop, probe and export need nothing else.
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

from spaces.draw import SUB_WEIGHT, Draw, Objective
from spaces.probe_settings import Sampling
from spaces.records.pack_shape import PackShape
from trainable.dataset.encoding_plan import EncodingPlan
from trainable.dataset.finding import Finding
from trainable.dataset.split import DatasetSplit
from trainable.family.export_request import ExportRequest
from trainable.family.process_group import ProcessGroup
from trainable.stopping.curve import ClipRow


@dataclass(frozen=True)
class ClipLosses:
    """Losses of the clips of one forward pass, each `[clips]` float32, a mean over the clip's own labels.

    Fields are those of `spaces.records.trial.Losses`; `guide`, `aligned`, `sub` and `sub_shifted` carry a gradient.
    """

    guide: Tensor
    aligned: Tensor
    talker: Tensor
    eos: Tensor
    sub: Tensor
    sub_shifted: Tensor


@dataclass(frozen=True)
class SpeechPrompt:
    """One line that a model is to speak."""

    text: str
    seed: int
    """What the line is sampled from, whatever is said beside it."""
    frame_cap: int
    """Codec frames, 12.5 per second: a line that has not ended by then is cut there."""
    instruction: str | None = None
    """How to say it, in words, for a model that takes instructions. An empty one is none."""


@dataclass(frozen=True)
class Utterance:
    """One cue as the model spoke it."""

    wave: np.ndarray
    """[samples] float32 at 24 kHz."""
    frames: int
    frame_cap: int
    eos: bool
    """Whether the end-of-speech code was sampled; read from the sampled sequence, not from the length."""
    codes: np.ndarray | None = None
    """[frames, codebooks] int64 that the wave was decoded from; None where nobody asks."""


@dataclass(frozen=True)
class SeatLimit:
    """How many trials may share one base."""

    max_seats: int
    """Never more than so many."""
    memory: float | None = None
    """Bytes that seats may take in all; None for what the GPU has free. Not asked when `exactly`."""
    exact: bool = False
    """Whether somebody asked for `most`, whatever the memory seems to hold."""


class ListenableModel(Protocol):
    """A model that can be listened to, and the recordings it is measured by."""

    split: DatasetSplit
    """Every prepared clip and its part; a clip is named by its place in it."""
    takes_instructions: bool
    """Whether it may be told how to say a line."""

    def ground_truth(self, clip: int) -> np.ndarray:
        """A clip of the dataset through the codec and back: [samples] float32 at 24 kHz."""
        ...

    def speaker_embedding(self, wave: np.ndarray) -> np.ndarray:
        """wave: [samples] float32 at 24 kHz → [dimensions] float32, by the model's own speaker encoder."""
        ...


class Learner(ListenableModel, Protocol):
    """A model of its own for one trial, trainable weights on it; or none, for the base itself."""

    def parameter_groups(self, draw: Draw) -> list[dict]:
        """Groups for `torch.optim.AdamW`: `params`, `lr`, `name` (`lora` or `text_projection`)."""
        ...

    def losses(self, clips: Sequence[int], step: int) -> ClipLosses:
        """Forward pass over these clips of the prepared data, in the mode `train` or `eval` has set.

        Where the draw trains the sub-talker on a share of the frames, the optimizer step says which; in step 0, the
        pass before the first one, and in evaluation mode every frame counts.
        """
        ...

    def train(self) -> None: ...

    def eval(self) -> None: ...

    def tensors(self) -> dict[str, Tensor]:
        """The trainable weights by name, as a checkpoint and an exported adapter name them."""
        ...

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Puts back what `tensors` gave. Raises KeyError or ValueError on another set of names or shapes."""
        ...

    def speak(self, cues: Sequence[SpeechPrompt], sampling: Sampling) -> list[Utterance]:
        """Says all of them as one batch in the first speaker's voice, each sampled from its own seed alone.

        Raises ValueError for a cue with an instruction where the model takes none.
        """
        ...

    def teacher_forced_logits(self, text: str, codes: np.ndarray) -> np.ndarray:
        """[frames + 1, vocabulary] float32: what is expected at each of these frames of the text in the first speaker's
        voice, given those before it, and after the last; logits. codes: [frames, codebooks] int64 of an utterance."""
        ...


@dataclass(frozen=True)
class Batch:
    """One seat's part of a forward pass."""

    clips: Sequence[int]
    step: int
    """The optimizer step that they belong to, from 1; 0 for the pass before the first. Dropout depends on it."""
    weight: float = 0.0
    """What each clip's loss counts in the gradient."""


@dataclass(frozen=True)
class SeatState:
    """A seat's trainable weights and their AdamW moments, by the names that an exported adapter uses."""

    weights: Mapping[str, Tensor]
    moments: Mapping[str, Tensor]
    """`NAME.exp_avg` and `NAME.exp_avg_sq`; empty before the first step, and where nobody will train on."""
    step: int
    """Optimizer steps taken."""


class Pack(ListenableModel, Protocol):
    """Seats for trials on one frozen base, which one forward pass serves together.

    Nothing that a seat computes depends on who else is seated, up to the rounding of sums in another order.
    """

    seats: int
    batch: int
    """Clips per seat in one forward pass, at most."""
    device: torch.device

    def join(self, seat: int, draw: Draw, seed: int) -> None:
        """Gives a free seat this draw's adapter with fresh weights, a pure function of seed and rank."""
        ...

    def leave(self, seat: int) -> None: ...

    def losses(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        """Each seat's losses of its clips, in training mode, without gradient."""
        ...

    def validate(self, seats: Sequence[int], clips: Sequence[int]) -> dict[int, list[ClipRow]]:
        """Losses of the same clips, `batch` at most, in each of these seats, in evaluation mode: no dropout, every
        frame counts. Every member of a process group computes all of them."""
        ...

    def accumulate(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        """As `losses`, and adds `share` × the gradient of what each clip descends to the seat's."""
        ...

    def step(self, lr_factors: Mapping[int, float]) -> dict[int, float]:
        """One AdamW step of these seats by what they have accumulated, their learning rates × the factor.

        Returns each seat's joint gradient norm before clipping. Summed over the process group first, if there is one.
        """
        ...

    def state(self, seat: int) -> SeatState:
        """On the CPU, and untouched by what follows."""
        ...

    def snapshot(self, seat: int) -> Callable[[], SeatState]:
        """A copy of the seat's weights where they are, which costs next to nothing; called, it is their state without
        moments."""
        ...

    def load(self, seat: int, state: SeatState) -> None:
        """Puts back what `state` gave. Raises KeyError on another set of names."""
        ...

    def speak(
        self, seats: Sequence[int], cues: Sequence[SpeechPrompt], sampling: Sampling
    ) -> dict[int, list[Utterance]]:
        """Every one of these seats says all the cues, as one batch. In any seat a cue is sampled from its own seed.

        Raises ValueError for a cue with an instruction where the model takes none.
        """
        ...


class Family(Protocol):
    """What a model family's module offers."""

    def check_model(self, model: str) -> str:
        """The folder of that model, downloaded when it is a hub id.

        Raises InputError when it is none of the family's, or cannot be had.
        """
        ...

    def why_not_packed(self, model: str, shape: PackShape) -> str | None:
        """What keeps draws of this shape out of a pack, in a few words; None when nothing does."""
        ...

    def prepare(
        self, plan: EncodingPlan, model: str, folder: Path, cache: Path, on_progress: Callable[[int, int], None]
    ) -> list[Finding]:
        """Encodes every take into `folder`, the split with them and a completion marker last; what `cache` holds
        already is not encoded again. `on_progress(done, of)` after each take.

        Returns what the encoded data tells about the dataset. With an error among the findings there is no marker.
        """
        ...

    def build(self, model: str, prepared: Path, language: str, draw: Draw | None, seed: int) -> Learner:
        """A model for one draw, or the base alone when `draw` is None. New weights come from `seed`."""
        ...

    def build_pack(
        self, model: str, prepared: Path, language: str, shape: PackShape, seats: SeatLimit, process_group: ProcessGroup
    ) -> Pack:
        """A base with as many free seats of this shape as `seats` and the memory allow, one at least."""
        ...

    def export(self, learner: Learner, request: ExportRequest, folder: Path) -> None:
        """Writes a trial as inference loads it, into an empty folder. Raises InputError where its layout cannot hold
        what was trained."""
        ...

    def load_exported(
        self, folder: Path, model: str | None = None, language: str | None = None, reference: Path | None = None
    ) -> Synthesiser:
        """What was exported, in whichever layout, ready to speak; or what another trainer has written.

        `model` overrides the base model that an adapter names, `language` the one that it was trained to speak, and
        `reference`, a recording, the voice. Raises InputError where nothing can be loaded, or no voice is known.
        """
        ...


class Synthesiser(Protocol):
    """What was exported, away from any prepared data."""

    def speak(self, cue: SpeechPrompt, sampling: Sampling) -> Utterance:
        """Raises ValueError for a cue with an instruction where the model takes none."""
        ...

    def teacher_forced_logits(self, text: str, codes: np.ndarray) -> np.ndarray:
        """See `Learner.teacher_forced_logits`."""
        ...


def load_family(module: str) -> Family:
    """The family in that importable module. What libraries print while they are imported is not shown."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return importlib.import_module(module)  # type: ignore[return-value]


def training_loss(losses: ClipLosses, objective: Objective, sub_weight: float) -> Tensor:
    """[clips]: what is differentiated. The objective itself where the sub-talker's loss weighs what it counts there.

    A loss that is told and judged by a band always counts it 0.3 times, so that trials of any weight compare.
    """
    sub = losses.sub_shifted if objective is Objective.GUIDE else losses.sub
    whole = losses.guide if objective is Objective.GUIDE else losses.aligned
    return whole if sub_weight == SUB_WEIGHT else whole + (sub_weight - SUB_WEIGHT) * sub
