"""Reads and writes the files of one trial. Needs no torch."""

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from spaces.records.trial import Outcome, Point, SecondChance
from trainable.files.atomic import write_text

OPTIMIZER = "optimizer.safetensors"
"""In a checkpoint: two thirds of its size, needed only to train on."""


@dataclass(frozen=True)
class TrialFolder:
    """The folder of one trial: `curve.jsonl`, `checkpoints/`, `probe/`, and `outcome.json` when it has ended.

    A trial that was rejected and trained on also has `second_chance.json` and, after its second probe, `probe_2/`.
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
        """None while the trial has not ended."""
        return Outcome.model_validate_json(self.outcome.read_text()) if self.outcome.is_file() else None

    def write_outcome(self, outcome: Outcome) -> None:
        write_text(self.outcome, outcome.model_dump_json(indent=1))

    @property
    def second_chance(self) -> Path:
        return self.path / "second_chance.json"

    def read_second_chance(self) -> SecondChance | None:
        """None unless the trial was rejected once and trained on."""
        path = self.second_chance
        return SecondChance.model_validate_json(path.read_text()) if path.is_file() else None

    def write_second_chance(self, second_chance: SecondChance) -> None:
        write_text(self.second_chance, second_chance.model_dump_json(indent=1))

    def read_points(self) -> list[Point]:
        """The curve so far, up to a line that a crash has cut."""
        points = []
        if self.curve.is_file():
            for line in self.curve.read_text().splitlines():
                try:
                    points.append(Point.model_validate(json.loads(line)))
                except ValueError:
                    break
        return points


class CurveFile:
    """Writes a trial's curve, a JSON line per point, each flushed at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._latest_step: int | None = None
        self._line_start = 0

    def begin(self, points: Iterable[Point]) -> None:
        """Starts the file anew with these points."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file, self._latest_step = self._path.open("w", encoding="utf-8"), None
        for point in points:
            self.add(point)

    def add(self, point: Point) -> None:
        """Appends a point; one of the latest step replaces its line. Raises ValueError before `begin`."""
        if self._file is None:
            raise ValueError(f"{self._path}: expected begin() before add()")
        if point.step == self._latest_step:
            self._file.seek(self._line_start)
            self._file.truncate()
        self._latest_step, self._line_start = point.step, self._file.tell()
        self._file.write(point.model_dump_json() + "\n")
        self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def prune_ended_trial(folder: TrialFolder, outcome: Outcome) -> None:
    """Removes all checkpoints but the weights of the one that counts, which exports need.

    It may be called again. Files that cannot be removed stay.
    """
    counts = folder.path / outcome.checkpoint if outcome.checkpoint else None
    for checkpoint in folder.checkpoints.glob("*"):
        with suppress(OSError):
            if checkpoint == counts:
                (checkpoint / OPTIMIZER).unlink(missing_ok=True)
            else:
                shutil.rmtree(checkpoint)
