"""Where a run keeps what. One place for every path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """The folder of one search."""

    path: Path

    @property
    def ledger(self) -> Path:
        return self.path / "ledger.jsonl"

    @property
    def space(self) -> Path:
        """The space as it was searched, JSON."""
        return self.path / "space.json"

    @property
    def prepared(self) -> Path:
        return self.path / "prepared"

    @property
    def base(self) -> Path:
        """Row zero: the base model's recordings, outcome and the probe's calibration."""
        return self.path / "base"

    @property
    def calibration(self) -> Path:
        return self.base / "calibration.json"

    @property
    def findings(self) -> Path:
        """What the encoded data tells about the dataset."""
        return self.base / "findings.json"

    @property
    def trials(self) -> Path:
        return self.path / "trials"

    def trial(self, name: str) -> Path:
        return self.trials / name

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def ray(self) -> Path:
        """Ray's own bookkeeping; nothing in it is needed afterwards."""
        return self.path / "ray"

    @property
    def best(self) -> Path:
        """The exported adapter."""
        return self.path / "best"

    @property
    def picture(self) -> Path:
        return self.path / "search.png"
