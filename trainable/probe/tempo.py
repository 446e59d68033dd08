"""How long a line should take, learned from the dataset's own clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

CODEC_FRAMES_PER_SECOND = 12.5


def letters(text: str) -> int:
    """Letters and digits of a text, in any script."""
    return sum(character.isalnum() for character in text)


class Tempo(BaseModel):
    """seconds = pause + per_letter × letters, fitted to one dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pause: float
    per_letter: float

    def expected_seconds(self, text: str) -> float:
        return self.pause + self.per_letter * letters(text)

    def frame_cap(self, text: str) -> int:
        """Codec frames after which a line is cut off: three times what it should take and 2 s, at least 6 s.

        A run that never reaches its end costs seconds, not the 164 s of the library's own limit.
        """
        return max(75, round(CODEC_FRAMES_PER_SECOND * (3 * self.expected_seconds(text) + 2)))


def fit_tempo(texts: Sequence[str], seconds: Sequence[float]) -> Tempo:
    """Least squares with both terms at least 0; one rate through the origin when the clips are all of one length.

    Raises ValueError when there is no clip with a letter in it.
    """
    counts = np.array([letters(text) for text in texts], dtype=np.float64)
    lengths = np.asarray(seconds, dtype=np.float64)
    if not counts.any():
        raise ValueError("the tempo of a voice needs at least one clip whose transcript has letters, got none")
    rate = float(lengths.sum() / counts.sum())
    if np.ptp(counts) == 0:
        return Tempo(pause=0.0, per_letter=rate)
    slope, pause = np.polyfit(counts, lengths, 1)
    if slope <= 0:
        return Tempo(pause=0.0, per_letter=rate)
    if pause < 0:
        return Tempo(pause=0.0, per_letter=float(counts @ lengths / (counts @ counts)))
    return Tempo(pause=float(pause), per_letter=float(slope))
