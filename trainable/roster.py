"""Who takes which part in a search: the clips that are trained on, and those kept out to judge by."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from trainable.trial_folder import write_beside

CALIBRATION_CLIPS = 40
"""Ground-truth clips that the probe is calibrated on, at most."""
FILE = "roster.json"


class Role(StrEnum):
    """What a clip is for."""

    TRAINING = "training"
    HELD_OUT = "held_out"
    """Never trained on: the validation loss is its loss, and its transcript may be spoken by the probe."""
    SPARE = "spare"
    """Beyond a cap that was asked for; of use to nobody but the calibration."""
    COPY = "copy"
    """A changed copy of a training clip, which may take its place in an epoch."""


class Entry(BaseModel):
    """One prepared clip."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    seconds: float
    role: Role = Role.TRAINING
    source: int = 0
    """Which `--data` it is from, in the order of the command line."""
    speaker: int = 0
    copies: tuple[int, ...] = ()
    """Places of its changed copies in the roster."""


class Roster(BaseModel):
    """Every prepared clip, by its place. The same for every trial of a search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entries: tuple[Entry, ...]
    weights: tuple[float, ...] = (1.0,)
    """Of each source: how often an epoch passes over it. 0.5 takes half of its clips in turn, 2 each of them twice."""
    speakers: tuple[str, ...] = ("",)

    def of(self, role: Role) -> tuple[int, ...]:
        """Places of all clips of that role."""
        return tuple(place for place, entry in enumerate(self.entries) if entry.role is role)

    @property
    def training(self) -> tuple[int, ...]:
        return self.of(Role.TRAINING)

    @property
    def held_out(self) -> tuple[int, ...]:
        return self.of(Role.HELD_OUT)

    @property
    def epoch_size(self) -> int:
        """Clips that one epoch passes over."""
        return sum(self.shares().values())

    def shares(self) -> dict[int, int]:
        """How many clips each source gives to an epoch, at least one where it has any."""
        counts: dict[int, int] = {}
        for place in self.training:
            counts[self.entries[place].source] = counts.get(self.entries[place].source, 0) + 1
        return {source: max(1, round(count * self.weights[source])) for source, count in counts.items()}

    @property
    def probe(self) -> tuple[int, ...]:
        """Held-out clips of the first speaker, one of each text: lines that no trial was trained on. Those of ordinary
        length come first, because the first few lines screen a trial."""
        own = [place for place in self.held_out if self.entries[place].speaker == 0]
        first = {self.entries[place].text: place for place in reversed(own)}
        middle = float(np.median([len(text) for text in first])) if first else 0.0
        return tuple(sorted(first.values(), key=lambda place: abs(len(self.entries[place].text) - middle)))

    @property
    def calibration(self) -> tuple[int, ...]:
        """Clips of the first speaker that the probe is calibrated on: those not trained on first, then an even
        spread of the others, 40 in all at most. What it measures is the recording, so having trained on it does not
        flatter anybody."""
        own = [place for place, entry in enumerate(self.entries) if entry.speaker == 0]
        unseen = [place for place in own if self.entries[place].role in (Role.HELD_OUT, Role.SPARE)]
        seen = [place for place in own if self.entries[place].role is Role.TRAINING]
        chosen = _spread(unseen, CALIBRATION_CLIPS)
        return tuple(sorted(chosen + _spread(seen, CALIBRATION_CLIPS - len(chosen))))

    def write(self, folder: Path) -> None:
        write_beside(folder / FILE, self.model_dump_json())

    @classmethod
    def read(cls, folder: Path) -> Roster:
        """Raises FileNotFoundError where there is none."""
        return cls.model_validate_json((folder / FILE).read_text(encoding="utf-8"))


def _spread(places: list[int], most: int) -> list[int]:
    """So many of them, evenly spread."""
    if not places or most <= 0:
        return []
    return [places[at] for at in sorted({round(at) for at in np.linspace(0, len(places) - 1, min(most, len(places)))})]
