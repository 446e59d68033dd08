"""Paths within the folder of a run, and the check of the model family that its files name."""

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
        """The space that was searched, as JSON."""
        return self.path / "space.json"

    @property
    def prepared(self) -> Path:
        return self.path / "prepared"

    @property
    def base(self) -> Path:
        """Row zero: recordings and outcome of the base model, and the probe's calibration."""
        return self.path / "base"

    @property
    def calibration(self) -> Path:
        return self.base / "calibration.json"

    @property
    def findings(self) -> Path:
        """Findings about the dataset from its encoded clips."""
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
        """Ray's own files, not needed after the search."""
        return self.path / "ray"

    @property
    def stop_file(self) -> Path:
        """While it exists, running trials end after their current step."""
        return self.path / "stop"

    @property
    def best(self) -> Path:
        """The exported adapter."""
        return self.path / "best"

    @property
    def picture(self) -> Path:
        return self.path / "search.png"


def require_known_family(module: str, source: str) -> str:
    """Returns `module` if it is a registered model family; raises InputError otherwise.

    Runs and adapters may come from anyone, and a module of that name may lie in the working directory: their files must
    not have other code imported. `source` is the file that names the family, for the error message.
    """
    known = [entry.module for entry in FAMILIES.values()]
    if module not in known:
        raise InputError(
            f"{source} names {module!r} as its model family; expected one of {', '.join(known)}. Nothing was loaded "
            "from it, because an unknown family would be foreign code. Use a file that Sweetspot wrote, or update "
            "Sweetspot if the file is from a newer version"
        )
    return module
