"""The seam between the loop and a model family.

A family is a module under `trainable/` that has the verbs of `Family`. `prepare` turns clips into prepared data once;
`build` gives one trial's `Learner`; the loop, the probe and the export need nothing else.
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
from spaces.probe_settings import Sampling
from trainable.dataset import VoiceDataset


@dataclass(frozen=True)
class ClipLosses:
    """Losses of the clips of one forward pass, each `[clips]` float32, a mean over the clip's own labels.

    Fields are those of `spaces.trial.Losses`; only the two objectives carry a gradient that is used.
    """

    guide: Tensor
    aligned: Tensor
    talker: Tensor
    eos: Tensor
    sub: Tensor
    sub_shifted: Tensor


@dataclass(frozen=True)
class Utterance:
    """One line as the model spoke it."""

    wave: np.ndarray
    """[samples] float32 at 24 kHz."""
    frames: int
    frame_cap: int
    eos: bool
    """Whether the end-of-speech code was sampled; read from the sampled sequence, not from the length."""


class Learner(Protocol):
    """One trial's model: the frozen base with trainable weights on it (or none, for the base itself)."""

    clip_count: int
    clip_seconds: Sequence[float]
    """Seconds of each clip's audio."""
    clip_texts: Sequence[str]
    device: torch.device

    def parameter_groups(self, draw: Draw) -> list[dict]:
        """Groups for `torch.optim.AdamW`: `params`, `lr`, `name` (`lora` or `text_projection`)."""
        ...

    def losses(self, clips: Sequence[int]) -> ClipLosses:
        """Forward pass over these clips of the prepared data, in the mode `train` or `eval` has set."""
        ...

    def train(self) -> None: ...

    def eval(self) -> None: ...

    def tensors(self) -> dict[str, Tensor]:
        """The trainable weights by name, as a checkpoint and an exported adapter name them."""
        ...

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Puts back what `tensors` gave. Raises KeyError or ValueError on another set of names or shapes."""
        ...

    def speak(self, lines: Sequence[str], seed: int, frame_caps: Sequence[int], sampling: Sampling) -> list[Utterance]:
        """Says the lines as one batch in the dataset's voice, each up to its cap of codec frames.

        A pure function of the weights and these arguments: the seed is the batch's, so the same line in another batch
        sounds different.
        """
        ...

    def ground_truth(self, clip: int) -> np.ndarray:
        """A clip of the dataset through the codec and back: [samples] float32 at 24 kHz."""
        ...

    def speaker_embedding(self, wave: np.ndarray) -> np.ndarray:
        """wave: [samples] float32 at 24 kHz → [dimensions] float32, by the model's own speaker encoder."""
        ...


class Family(Protocol):
    """What a model family's module offers."""

    def check_model(self, model: str) -> str:
        """The folder of that model, downloaded when it is a hub id.

        Raises InputError when it is none of the family's, or cannot be had.
        """
        ...

    def prepare(self, dataset: VoiceDataset, model: str, folder: Path, on_clip: Callable[[int, int], None]) -> None:
        """Encodes the dataset once into `folder`, its completion marker last. `on_clip(done, of)` after each clip."""
        ...

    def build(self, model: str, prepared: Path, language: str, draw: Draw | None, seed: int) -> Learner:
        """One trial's model, or the base alone when `draw` is None. New weights come from `seed`."""
        ...

    def export(self, learner: Learner, base_model: str, folder: Path) -> None:
        """Writes the adapter as inference loads it."""
        ...

    def load_exported(self, folder: Path, model: str | None) -> Speaker:
        """An exported adapter, ready to speak. `model` overrides the base model that the adapter names."""
        ...


class Speaker(Protocol):
    """An exported adapter on its base, away from any prepared data."""

    def speak(self, text: str, seed: int, frame_cap: int, sampling: Sampling) -> Utterance: ...


def load_family(module: str) -> Family:
    """The family in that importable module. What libraries print while they are imported is not shown."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return importlib.import_module(module)  # type: ignore[return-value]
