"""Checkpoints of a trial: weights, optimizer, curve. Nothing is pickled.

A checkpoint is a folder `step-000012` with `adapter.safetensors`, `optimizer.safetensors`, `state.json`, and last of
all the marker `COMPLETE`. It is written beside under a dotted name and renamed; without its marker it is none.

What a trial keeps of its weights while it trains: one checkpoint on disk, or a copy that is still to be written.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from safetensors.torch import load_file, save_file
from torch import Tensor

from spaces.draw import Draw
from spaces.records.trial import Ending, Point
from trainable.family.protocol import Pack, SeatState
from trainable.files.atomic import atomic_folder, write_text
from trainable.stopping.curve import ClipRow

MARKER = "COMPLETE"
WEIGHTS = "adapter.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"


class CheckpointState(BaseModel):
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
    state: CheckpointState

    def read(self) -> SeatState:
        """Weights and moments, on the CPU."""
        return SeatState(load_weights(self.folder), load_file(self.folder / OPTIMIZER), self.state.point.step)


def write_checkpoint(folder: Path, state: CheckpointState, trained: SeatState) -> Checkpoint:
    """Writes `folder/step-…`, replacing one of the same step."""
    final = folder / f"step-{state.point.step:06d}"
    with atomic_folder(final) as part:
        save_file(dict(trained.weights), part / WEIGHTS)
        save_file(dict(trained.moments), part / OPTIMIZER)
        (part / STATE).write_text(state.model_dump_json(indent=1))
    write_text(final / MARKER, "")
    return Checkpoint(final, state)


def read_checkpoints(folder: Path) -> list[Checkpoint]:
    """Every complete checkpoint, by step. Unfinished ones are passed over."""
    return [read_checkpoint(path) for path in sorted(marker.parent for marker in folder.glob(f"step-*/{MARKER}"))]


def read_checkpoint(folder: Path) -> Checkpoint:
    """One that is known to be complete."""
    return Checkpoint(folder, CheckpointState.model_validate_json((folder / STATE).read_text()))


def load_weights(folder: Path) -> dict[str, Tensor]:
    """The trainable weights of a complete checkpoint, on the CPU. Raises FileNotFoundError where there is none."""
    if not (folder / MARKER).is_file():
        raise FileNotFoundError(f"{folder}: not a complete checkpoint, {MARKER} is missing")
    return load_file(folder / WEIGHTS)


def prune_checkpoints(folder: Path, keep: Collection[Path]) -> None:
    """Removes every checkpoint but those in these folders, and what unfinished writes left behind."""
    for path in folder.iterdir():
        if path not in keep:
            (path / MARKER).unlink(missing_ok=True)
            shutil.rmtree(path, ignore_errors=True)


WRITING_SHARE = 0.05
"""Of a bench's time goes into checkpoints at most, over all its seats: one of the real model is half a gigabyte, and an
epoch of thirty clips takes seconds. A first one is always written."""


class CheckpointPolicy:
    """The checkpoints of the trial in one seat; the latest alone is kept, and one that was probed before."""

    def __init__(self, folder: Path, pack: Pack, seat: int, on_written: Callable[[], None] = lambda: None) -> None:
        """`on_written` is called when the folder has changed; its time counts as that of writing."""
        self._folder, self._pack, self._seat, self._on_written = folder, pack, seat, on_written
        self.probed: Path | None = None
        """Folder of the checkpoint that was rejected before training went on."""
        self._next_write = 0.0
        self._unwritten: tuple[CheckpointState, Callable[[], SeatState]] | None = None

    def keep(self, state: CheckpointState) -> None:
        """The seat's weights: on disk when that would not take more of the time than WRITING_SHARE, else as a copy."""
        if time.perf_counter() >= self._next_write:
            started = time.perf_counter()
            self._write(state, self._pack.state(self._seat))
            took = time.perf_counter() - started
            self._next_write = started + took * self._pack.seats / WRITING_SHARE
        else:
            self._unwritten = state, self._pack.copy(self._seat)

    def keep_the_last(self, state: CheckpointState) -> Checkpoint:
        """The seat's weights where training ends, on disk whatever it takes; not again if an earlier attempt did so."""
        kept = self._on_disk()
        if kept is not None and kept.state.point.step == state.point.step:
            return kept
        return self._write(state, self._pack.state(self._seat))

    def latest(self) -> Checkpoint | None:
        """What was kept last, on disk; None when nothing was."""
        if self._unwritten is None:
            return self._on_disk()
        state, copy = self._unwritten
        return self._write(state, copy())

    def _on_disk(self) -> Checkpoint | None:
        kept = read_checkpoints(self._folder)
        return kept[-1] if kept else None

    def _write(self, state: CheckpointState, trained: SeatState) -> Checkpoint:
        kept = write_checkpoint(self._folder, state, trained)
        prune_checkpoints(self._folder, [kept.folder, *([self.probed] if self.probed else [])])
        self._unwritten = None
        self._on_written()
        return kept
