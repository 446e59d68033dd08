"""How long a line should take, learned from the dataset's own clips.

How long a text should take in a voice of which nothing is known.
"""

from __future__ import annotations

import unicodedata
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


class SpeakingRate(BaseModel):
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


def fit_tempo(texts: Sequence[str], seconds: Sequence[float]) -> SpeakingRate:
    """Least squares with both terms at least 0; one rate through the origin when the clips are all of one length.

    Raises ValueError when there is no clip with a letter in it.
    """
    counts = np.array([letters(text) for text in texts], dtype=np.float64)
    lengths = np.asarray(seconds, dtype=np.float64)
    if not counts.any():
        raise ValueError("the tempo of a voice needs at least one clip whose transcript has letters, got none")
    rate = float(lengths.sum() / counts.sum())
    if np.ptp(counts) == 0:
        return SpeakingRate(pause=0.0, per_letter=rate)
    slope, pause = np.polyfit(counts, lengths, 1)
    if slope <= 0:
        return SpeakingRate(pause=0.0, per_letter=rate)
    if pause < 0:
        return SpeakingRate(pause=0.0, per_letter=float(counts @ lengths / (counts @ counts)))
    return SpeakingRate(pause=float(pause), per_letter=float(slope))


PAUSE_SECONDS = 0.3
"""Before, between and after the words, whatever the text."""

CHARACTERS_PER_SECOND = 15.0
"""Of letters and the spaces between words: 150 words a minute, each of five letters and a space. The demo voice's clips
take 0.8 to 1.24 of what this says."""

SYLLABLES_PER_SECOND = 5.0
"""Where a letter is a whole syllable, and of digits. Pellegrino, Coupé and Marsico (2011) measured 5.2 syllables a
second of Mandarin and 7.8 of Japanese, whose Han letters have more than one each."""

ALPHABETS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "FULLWIDTH", "MODIFIER", "MATHEMATICAL")
SYLLABARIES = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "ETHIOPIC", "YI", "DIGIT", "IDEOGRAPHIC")
"""First words of the Unicode names of their letters."""


def default_seconds(text: str) -> float | None:
    """Seconds that reading the text aloud commonly takes.

    None where more than a tenth of its letters are of a script whose pace is not known, such as one that leaves
    vowels out.
    """
    kinds = [_kind(character) for character in text if character.isalnum()]
    if kinds.count(None) > 0.1 * len(kinds):
        return None
    spoken = sum(1 / (kind or CHARACTERS_PER_SECOND) for kind in kinds)
    # Between words of letters only: digits and syllables have their own, slower pace.
    spaces = sum(bool(letters(word)) for word in text.split()) - 1
    return PAUSE_SECONDS + spoken + max(0, spaces) / CHARACTERS_PER_SECOND


def _kind(character: str) -> float | None:
    """Such characters a second; None for those of another script."""
    script = unicodedata.name(character, "").partition(" ")[0].partition("-")[0]
    if script in SYLLABARIES:
        return SYLLABLES_PER_SECOND
    return CHARACTERS_PER_SECOND if script in ALPHABETS else None
