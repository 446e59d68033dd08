"""The specification of one trial, passed to the training loop as JSON."""

import importlib
from contextlib import suppress
from pathlib import Path

from pydantic import field_validator

from spaces.band import Band
from spaces.families import FAMILIES, AnyDraw
from spaces.frozen_model import FrozenModel
from spaces.probe_settings import ProbeSettings
from spaces.records.losses import BaseLoss
from spaces.storage_uri import Storage


class TrialSpec(FrozenModel):
    """Everything that one trial needs; equal specs give equal results."""

    trial: str
    folder: str
    """Where the trial keeps its curve, checkpoints, recordings and outcome."""
    family: str
    """Module of the model family."""
    model: str
    """Hub id or folder of the base model."""
    prepared: str
    """Folder of the prepared data."""
    calibration: str
    """File of the probe's calibration on this voice."""
    language: str
    seed: int
    """Seed of clip order, initial weights, dropout and speech; the same for every trial of a search."""
    draw: AnyDraw
    band: Band | None
    """None for a trial that trains all its epochs."""
    base_loss: BaseLoss | None = None
    """The base model's loss of the trial's objective; None where it was not measured."""
    probe: ProbeSettings
    storage: Storage | None = None
    """Where the folder is mirrored; None where every node reaches the folder itself."""

    @field_validator("family")
    @classmethod
    def _is_registered(cls, family: str) -> str:
        """A family that Sweetspot does not know registers itself when its module is imported."""
        if all(entry.module != family for entry in FAMILIES.values()):
            with suppress(ImportError):
                importlib.import_module(family)
        return family

    @property
    def path(self) -> Path:
        """The folder as a path."""
        return Path(self.folder)
