"""One recording as it is to be encoded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from trainable.audio import read_audio
from trainable.dataset.clip import Clip


class Change(BaseModel):
    """How a copy of a clip differs from it. Equal changes of equal recordings give equal samples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    speed: float
    """Tempo factor, the pitch kept."""
    semitones: float
    """Pitch, the tempo kept."""
    gain_db: float
    snr_db: float | None
    """White noise so far below the speech; None for none."""
    seed: int
    """Of the noise."""


@dataclass(frozen=True)
class Take:
    """A clip as it was recorded, or a changed copy of it."""

    clip: Clip
    change: Change | None = None

    @property
    def key(self) -> str:
        """SHA-256 over the recording's bytes and the change: equal keys, equal samples."""
        change = self.change.model_dump_json() if self.change else ""
        return hashlib.sha256(f"{self.clip.measures.sha256} {change}".encode()).hexdigest()

    def wave(self) -> np.ndarray:
        """[samples] float32, 24 kHz, mono. Raises InputError as `read_audio` does."""
        wave = read_audio(self.clip.audio)
        if self.change is None:
            return wave
        from trainable.dataset.augment import changed

        return changed(wave, self.change)
