"""Writes, reads and prunes a trial's checkpoints, and decides when one is written. Nothing is pickled.

A checkpoint is a folder `step-000012` with `adapter.safetensors`, `optimizer.safetensors`, `state.json` and the marker
`COMPLETE`, which is written last. A folder without the marker is not a checkpoint.
"""

import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from safetensors.torch import load_file, save_file
from torch import Tensor

from spaces.families import AnyDraw
from spaces.records.trial import Ending, Point
from trainable.family.protocol import Pack, SeatState
from trainable.files.atomic import atomic_folder, write_text
from trainable.files.trial_folder import OPTIMIZER
from trainable.stopping.curve import ClipRow

MARKER = "COMPLETE"
WEIGHTS = "adapter.safetensors"
STATE = "state.json"


class CheckpointState(BaseModel):
    """What a trial needs besides tensors to resume exactly where it was."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    draw: AnyDraw
    seed: int
    point: Point
    window: tuple[ClipRow, ...]
    """The clip losses that the curve's latest mean is over."""
    ending: Ending | None
    """Set when training ended at this step and only the probe is left."""


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk."""

    folder: Path
    state: CheckpointState

    def read(self) -> SeatState:
        """Weights and moments, on the CPU."""
        return SeatState(load_weights(self.folder), load_file(self.folder / OPTIMIZER), self.state.point.step)


def write_checkpoint(folder: Path, state: CheckpointState, seat: SeatState) -> Checkpoint:
    """Writes `folder/step-…`; replaces a checkpoint of the same step."""
    final = folder / f"step-{state.point.step:06d}"
    with atomic_folder(final) as part:
        save_file(dict(seat.weights), part / WEIGHTS)
        save_file(dict(seat.moments), part / OPTIMIZER)
        (part / STATE).write_text(state.model_dump_json(indent=1))
    write_text(final / MARKER, "")
    return Checkpoint(final, state)


def read_checkpoints(folder: Path) -> list[Checkpoint]:
    """Every complete checkpoint, by step."""
    return [read_checkpoint(path) for path in sorted(marker.parent for marker in folder.glob(f"step-*/{MARKER}"))]


def read_checkpoint(folder: Path) -> Checkpoint:
    """Reads a checkpoint that is known to be complete."""
    return Checkpoint(folder, CheckpointState.model_validate_json((folder / STATE).read_text()))


def load_weights(folder: Path) -> dict[str, Tensor]:
    """The trainable weights of a checkpoint, on the CPU. Raises FileNotFoundError where it is not complete."""
    if not (folder / MARKER).is_file():
        raise FileNotFoundError(f"{folder}: not a complete checkpoint, {MARKER} is missing")
    return load_file(folder / WEIGHTS)


def prune_checkpoints(folder: Path, keep: Collection[Path]) -> None:
    """Removes all other checkpoints, and what killed writers left behind."""
    for path in folder.iterdir():
        if path not in keep:
            (path / MARKER).unlink(missing_ok=True)
            shutil.rmtree(path, ignore_errors=True)


MAX_WRITING_SHARE = 0.05
"""Of a bench's time, for the checkpoints of all its seats: one of the real model is half a gigabyte, and an epoch of
thirty clips takes seconds. The first checkpoint of a trial is always written."""


class CheckpointPolicy:
    """Keeps the latest checkpoint of the trial in one seat: on disk, or as a copy of its weights not written yet.

    A checkpoint that was probed before is kept beside it.
    """

    def __init__(self, folder: Path, pack: Pack, seat: int, on_written: Callable[[], None] = lambda: None) -> None:
        """`on_written` is called after each change of the folder; its time counts as writing time."""
        self._folder, self._pack, self._seat, self._on_written = folder, pack, seat, on_written
        self.probed: Path | None = None
        """Folder of the checkpoint that was rejected before training went on."""
        self._next_write = 0.0
        self._unwritten: tuple[CheckpointState, Callable[[], SeatState]] | None = None

    def save(self, state: CheckpointState) -> None:
        """Writes the seat's weights to disk, or copies them where writing would exceed MAX_WRITING_SHARE."""
        if time.perf_counter() >= self._next_write:
            started = time.perf_counter()
            self._write(state, self._pack.state(self._seat))
            seconds = time.perf_counter() - started
            self._next_write = started + seconds * self._pack.seats / MAX_WRITING_SHARE
        else:
            self._unwritten = state, self._pack.snapshot(self._seat)

    def save_final(self, state: CheckpointState) -> Checkpoint:
        """Writes the seat's weights where training ended, unless an earlier attempt has done so."""
        kept = self._on_disk()
        if kept is not None and kept.state.point.step == state.point.step:
            return kept
        return self._write(state, self._pack.state(self._seat))

    def latest(self) -> Checkpoint | None:
        """The checkpoint saved last, written to disk if it was not; None where there is none."""
        if self._unwritten is None:
            return self._on_disk()
        state, snapshot = self._unwritten
        return self._write(state, snapshot())

    def _on_disk(self) -> Checkpoint | None:
        kept = read_checkpoints(self._folder)
        return kept[-1] if kept else None

    def _write(self, state: CheckpointState, seat: SeatState) -> Checkpoint:
        kept = write_checkpoint(self._folder, state, seat)
        prune_checkpoints(self._folder, [kept.folder, *([self.probed] if self.probed else [])])
        self._unwritten = None
        self._on_written()
        return kept
