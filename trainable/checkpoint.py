"""Checkpoints of a trial: weights, optimizer, curve. Nothing is pickled.

A checkpoint is a folder `step-000012` with `adapter.safetensors`, `optimizer.safetensors`, `state.json`, and last of
all the marker `COMPLETE`. It is written beside under a dotted name and renamed; without its marker it is none.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from safetensors.torch import load_file, save_file
from torch import Tensor

from spaces.draw import Draw
from spaces.ending import Ending
from spaces.trial import Point
from trainable.curve import ClipRow
from trainable.family import SeatState
from trainable.trial_folder import write_beside

MARKER = "COMPLETE"
WEIGHTS = "adapter.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"


class State(BaseModel):
    """What besides tensors a trial needs to go on exactly where it was."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    draw: Draw
    seed: int
    point: Point
    window: tuple[ClipRow, ...]
    """The clip losses that the curve's mean is over."""
    ending: Ending | None
    """Set when training ended at this step and only the probe is left to do."""


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk."""

    folder: Path
    state: State

    def read(self) -> SeatState:
        """Weights and moments, on the CPU."""
        return SeatState(load_weights(self.folder), load_file(self.folder / OPTIMIZER), self.state.point.step)


def write_checkpoint(folder: Path, state: State, trained: SeatState) -> Checkpoint:
    """Writes `folder/step-…`, replacing one of the same step."""
    final = folder / f"step-{state.point.step:06d}"
    beside = folder / f".{final.name}.part"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    save_file(dict(trained.weights), beside / WEIGHTS)
    save_file(dict(trained.moments), beside / OPTIMIZER)
    (beside / STATE).write_text(state.model_dump_json(indent=1))
    for file in beside.iterdir():
        _flush(file)
    shutil.rmtree(final, ignore_errors=True)
    beside.rename(final)
    write_beside(final / MARKER, "")
    return Checkpoint(final, state)


def read_checkpoints(folder: Path) -> list[Checkpoint]:
    """Every complete checkpoint, by step. Unfinished ones are passed over."""
    return [read_checkpoint(path) for path in sorted(marker.parent for marker in folder.glob(f"step-*/{MARKER}"))]


def read_checkpoint(folder: Path) -> Checkpoint:
    """One that is known to be complete."""
    return Checkpoint(folder, State.model_validate_json((folder / STATE).read_text()))


def load_weights(folder: Path) -> dict[str, Tensor]:
    """The trainable weights of a complete checkpoint, on the CPU. Raises FileNotFoundError where there is none."""
    if not (folder / MARKER).is_file():
        raise FileNotFoundError(f"{folder}: not a complete checkpoint, {MARKER} is missing")
    return load_file(folder / WEIGHTS)


def thin_checkpoints(folder: Path, keep: Collection[Path]) -> None:
    """Removes every checkpoint but those in these folders, and what unfinished writes left behind."""
    for path in folder.iterdir():
        if path not in keep:
            (path / MARKER).unlink(missing_ok=True)
            shutil.rmtree(path, ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
