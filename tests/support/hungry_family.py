"""The toy family on a machine with memory for few seats: as many as the file `holds` in the run's folder says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch

from spaces.families import FAMILIES
from spaces.pack_shape import PackShape
from tests.support import toy_family
from tests.support.toy_family import build, check_model, export, load_exported, loading_code, prepare, why_not_packed
from tests.support.toy_pack import ToyPack
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Batch, SeatLimit
from trainable.stopping.curve import ClipRow

__all__ = ["build", "build_pack", "check_model", "export", "load_exported", "loading_code", "prepare", "why_not_packed"]

HOLDS, GRANTED = "holds", "granted"
"""Files in the run's folder: the seats that fit, and a line with the seats of each pack that was built."""


def build_pack(
    model: str, prepared: Path, language: str, shape: PackShape, seats: SeatLimit, process_group: ProcessGroup
) -> HungryPack:
    run = prepared.parent
    with (run / GRANTED).open("a") as file:
        file.write(f"{seats.max_seats}\n")
    return HungryPack(int((run / HOLDS).read_text()), model, prepared, language, shape, seats, process_group)


class HungryPack(ToyPack):
    def __init__(
        self,
        holds: int,
        model: str,
        prepared: Path,
        language: str,
        shape: PackShape,
        seats: SeatLimit,
        process_group: ProcessGroup,
    ) -> None:
        super().__init__(
            lambda draw, seed: toy_family.build(model, prepared, language, draw, seed),
            shape.batch,
            seats.max_seats,
            process_group,
        )
        self._holds = holds

    def accumulate(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        if len(batches) > self._holds:
            raise torch.OutOfMemoryError(f"tried to seat {len(batches)}")
        return super().accumulate(batches)


FAMILIES["hungry"] = dataclasses.replace(FAMILIES["toy"], module=__name__)
