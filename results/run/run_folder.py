"""Where a run keeps what. One place for every path.

Model families, as files of runs and adapters name them: by the module that is imported for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spaces.errors import InputError
from spaces.families import FAMILIES


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


def require_known_family(module: str, named_by: str) -> str:
    """The module, where it holds a model family known here.

    A run or an adapter may come from anyone, and a module of that name may lie in the working directory: files of
    theirs have no other code imported. `named_by` says which file, for the error. Raises InputError.
    """
    known = [entry.module for entry in FAMILIES.values()]
    if module not in known:
        raise InputError(
            f"{named_by} names {module!r} as its model family; expected one of {', '.join(known)}. Nothing was loaded "
            "from it: a family of that name would be code of somebody else's. Take one that Sweetspot wrote, or update "
            "Sweetspot where it is newer than this one"
        )
    return module
