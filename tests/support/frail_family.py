"""The toy family with the faults of long searches, each switched on by a file in the run's folder.

DOOM: one draw always fails. KILL: a process is killed once. POISON: one draw kills its process whenever it is trained.
SLOW: training is slow enough to be interrupted.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from spaces.draw import Draw
from spaces.families import FAMILIES
from spaces.pack_shape import PackShape
from tests.support import toy_family
from tests.support.toy_family import (
    ToyLearner,
    check_model,
    export,
    load_exported,
    loading_code,
    prepare,
    why_not_packed,
)
from tests.support.toy_pack import ToyPack
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import ClipLosses, SeatLimit

__all__ = ["build", "build_pack", "check_model", "export", "load_exported", "loading_code", "prepare", "why_not_packed"]

DOOM, KILL, POISON, SLOW = "doom", "kill", "poison", "slow"
DOOMED, KILLED, POISONED, RESUMED = "doomed", "killed", "poisoned", "resumed"
"""Files that record what went wrong: the draw that always fails; a process was killed; the draw that kills, a line each
time; weights were loaded from a checkpoint."""
POISON_STEP = 3
SLOW_SECONDS = 0.1
"""Per forward pass."""


def build(model: str, prepared: Path, language: str, draw: Draw | None, seed: int) -> FrailLearner:
    run = prepared.parent
    if draw is not None and (run / DOOM).exists():
        try:
            with (run / DOOMED).open("x") as file:
                file.write(draw.model_dump_json())
        except FileExistsError:
            pass
        if (run / DOOMED).read_text() == draw.model_dump_json():
            raise ValueError("this draw is doomed\nand says so in two lines")
    return FrailLearner(toy_family.build(model, prepared, language, draw, seed), run, draw)


def build_pack(
    model: str, prepared: Path, language: str, shape: PackShape, seats: SeatLimit, process_group: ProcessGroup
) -> ToyPack:
    return ToyPack(
        lambda draw, seed: build(model, prepared, language, draw, seed), shape.batch, seats.max_seats, process_group
    )


class FrailLearner(ToyLearner):
    def __init__(self, sound: ToyLearner, run: Path, draw: Draw | None) -> None:
        self.__dict__.update(sound.__dict__)
        self._run = run
        self._has_trained = False
        self._draw = draw

    def losses(self, clips: Sequence[int], step: int) -> ClipLosses:
        self._has_trained = True
        if (self._run / SLOW).exists():
            time.sleep(SLOW_SECONDS)
        if step >= POISON_STEP and (self._run / POISON).exists():
            self._kill_if_poisoned()
        if (self._run / KILL).exists() and any(self._run.glob("trials/*/checkpoints/step-*")):
            try:
                (self._run / KILLED).touch(exist_ok=False)
            except FileExistsError:
                pass
            else:
                os._exit(1)
        return super().losses(clips, step)

    def _kill_if_poisoned(self) -> None:
        """The first draw that gets here is the poisonous one."""
        path, line = self._run / POISONED, self._draw.model_dump_json() + "\n"
        if not path.exists() or line in path.read_text():
            with path.open("a") as file:
                file.write(line)
            os._exit(1)

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        if not self._has_trained:
            (self._run / RESUMED).touch()
        super().load_tensors(tensors)


FAMILIES["frail"] = dataclasses.replace(FAMILIES["toy"], module=__name__)
