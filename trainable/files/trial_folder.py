"""What a trial keeps on disk, and how it is read back.

What is left of a trial's checkpoints once it has ended. No torch: whoever writes the ledger does it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from spaces.records.trial import Outcome, Point, SecondChance
from trainable.files.atomic import write_text


@dataclass(frozen=True)
class TrialFolder:
    """The folder of one trial: `curve.jsonl`, `checkpoints/`, `probe/`, and `outcome.json` when it has ended.

    One that was rejected and went on has `second_chance.json` and, for the second time, `probe_2/`.
    """

    path: Path

    @property
    def curve(self) -> Path:
        """One `Point` per optimizer step, a JSON line each."""
        return self.path / "curve.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def outcome(self) -> Path:
        return self.path / "outcome.json"

    def read_outcome(self) -> Outcome | None:
        """How the trial ended; None while it has not."""
        return Outcome.model_validate_json(self.outcome.read_text()) if self.outcome.is_file() else None

    def write_outcome(self, outcome: Outcome) -> None:
        write_text(self.outcome, outcome.model_dump_json(indent=1))

    @property
    def second_chance(self) -> Path:
        """Stands where the trial was rejected once and has gone on."""
        return self.path / "second_chance.json"

    def read_second_chance(self) -> SecondChance | None:
        """None before a first rejection, and where there was nothing to go on to."""
        path = self.second_chance
        return SecondChance.model_validate_json(path.read_text()) if path.is_file() else None

    def write_second_chance(self, chance: SecondChance) -> None:
        write_text(self.second_chance, chance.model_dump_json(indent=1))

    def read_points(self) -> list[Point]:
        """The curve so far. A line cut by a crash ends it."""
        points = []
        if self.curve.is_file():
            for line in self.curve.read_text().splitlines():
                try:
                    points.append(Point.model_validate(json.loads(line)))
                except ValueError:
                    break
        return points


class CurveFile:
    """A trial's curve while it is being written: a JSON line per point, on disk as soon as it is known."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._latest: int | None = None
        self._start = 0

    def begin(self, points: Iterable[Point]) -> None:
        """Starts the file anew with these points."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file, self._latest = self._path.open("w", encoding="utf-8"), None
        for point in points:
            self.add(point)

    def add(self, point: Point) -> None:
        """A point of the step that was written last takes that line's place."""
        if self._file is None:
            raise ValueError(f"{self._path}: expected begin() before add()")
        if point.step == self._latest:
            self._file.seek(self._start)
            self._file.truncate()
        self._latest, self._start = point.step, self._file.tell()
        self._file.write(point.model_dump_json() + "\n")
        self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


OPTIMIZER = "optimizer.safetensors"
"""In a checkpoint: two thirds of its size, and of use only to a trial that trains on."""


def prune_ended_trial(folder: TrialFolder, outcome: Outcome) -> None:
    """Keeps the weights of the checkpoint that counts, for exports, and nothing else. May be done again; what cannot be
    removed stays."""
    counts = folder.path / outcome.checkpoint if outcome.checkpoint else None
    for checkpoint in folder.checkpoints.glob("*"):
        with suppress(OSError):
            if checkpoint == counts:
                (checkpoint / OPTIMIZER).unlink(missing_ok=True)
            else:
                shutil.rmtree(checkpoint)
