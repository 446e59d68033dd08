"""What a trial keeps of its weights while it trains: one checkpoint on disk, or a copy that is still to be written."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from trainable.checkpoint import Checkpoint, State, read_checkpoints, thin_checkpoints, write_checkpoint
from trainable.family import Pack, SeatState

WRITING_SHARE = 0.05
"""Of a bench's time goes into checkpoints at most, over all its seats: one of the real model is half a gigabyte, and an
epoch of thirty clips takes seconds. A first one is always written."""


class Keeping:
    """The checkpoints of the trial in one seat; the latest alone is kept, and one that was probed before."""

    def __init__(self, folder: Path, pack: Pack, seat: int, on_written: Callable[[], None] = lambda: None) -> None:
        """`on_written` is called when the folder has changed; its time counts as that of writing."""
        self._folder, self._pack, self._seat, self._on_written = folder, pack, seat, on_written
        self.probed: Path | None = None
        """Folder of the checkpoint that was rejected before training went on."""
        self._next_write = 0.0
        self._unwritten: tuple[State, Callable[[], SeatState]] | None = None

    def keep(self, state: State) -> None:
        """The seat's weights: on disk when that would not take more of the time than WRITING_SHARE, else as a copy."""
        if time.perf_counter() >= self._next_write:
            started = time.perf_counter()
            self._write(state, self._pack.state(self._seat))
            took = time.perf_counter() - started
            self._next_write = started + took * self._pack.seats / WRITING_SHARE
        else:
            self._unwritten = state, self._pack.copy(self._seat)

    def keep_the_last(self, state: State) -> Checkpoint:
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

    def _write(self, state: State, trained: SeatState) -> Checkpoint:
        kept = write_checkpoint(self._folder, state, trained)
        thin_checkpoints(self._folder, [kept.folder, *([self.probed] if self.probed else [])])
        self._unwritten = None
        self._on_written()
        return kept
