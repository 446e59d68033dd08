"""How long a line should take, learned from the dataset's own clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

CODEC_FRAMES_PER_SECOND = 12.5

SHORT_LETTERS = 25
"""Shorter lines vary too much in length for a ratio; they may take up to 3 s."""

SHORT_SECONDS = 3.0

LINE_TEMPO = (0.55, 1.8)
"""A line's length over the expected one, where little is known of the voice. Clean clips spread by 10 % per clip, so
this is wide; the median is tight."""

STEADY_TEMPO = (0.7, 1.4)
"""The bounds of a voice that is known well are never tighter."""

BEYOND_OWN = 1.25
"""Times longer than the longest, or shorter than the shortest, of the voice's own clips over their expected lengths.
Adapters that listeners took kept within 0.83 and 1.09 in 80 % of clips (Alexandria). On eight espeak-ng and flite
voices, 20 own clips each, this flags none of 320 other clean clips, all clips cut at half and 9 in 10 that lack their
middle."""

LEAST_CLIPS = 20
"""Fewer clips say little about how far a voice's tempo reaches."""


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


def line_tempo(own: Sequence[float]) -> tuple[float, float]:
    """Least and most of a line's length over the expected one, given those ratios of the voice's own clips."""
    if len(own) < LEAST_CLIPS:
        return LINE_TEMPO
    (least, most), (slow_enough, fast_enough) = LINE_TEMPO, STEADY_TEMPO
    return (
        min(max(least, min(own) / BEYOND_OWN), slow_enough),
        max(min(most, max(own) * BEYOND_OWN), fast_enough),
    )


def is_off_tempo(text: str, seconds: float, expected_seconds: float, own: Sequence[float]) -> bool:
    """Whether a line is far longer or shorter than it should be, given those ratios of the voice's own clips."""
    least, most = line_tempo(own)
    if letters(text) < SHORT_LETTERS:
        return seconds > max(SHORT_SECONDS, LINE_TEMPO[1] * expected_seconds)
    return not least <= seconds / expected_seconds <= most


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
