"""Estimates how long a text takes to speak: fitted to a voice's own clips, or from its script alone."""

import unicodedata
from collections.abc import Sequence

import numpy as np

from spaces.frozen_model import FrozenModel

CODEC_FRAMES_PER_SECOND = 12.5

FRAME_CAP_FACTOR, FRAME_CAP_SECONDS, MIN_FRAME_CAP = 3.0, 2.0, 75
"""A line may take three times its expected length and 2 s more, and at least 75 codec frames (6 s)."""

SHORT_LETTERS = 25
"""The length of shorter texts varies too much for a ratio; they may take up to `MAX_SHORT_SECONDS`."""

MAX_SHORT_SECONDS = 3.0

MIN_SHORT_TEMPO = 0.25
"""Least length of such a text over its expected length. Clean short utterances of espeak-ng and flite voices take 0.29
of it and more, 90 prompts of a human voice 0.84 and more."""

LINE_TEMPO = (0.55, 1.8)
"""Bounds on a line's length over its expected length, where little is known of the voice. Single clean clips spread by
10 %, so these are wide; the bounds on the median (`judge.MEDIAN_TEMPO`) are tight."""

NARROWEST_TEMPO = (0.7, 1.4)
"""The bounds of a well-known voice are never tighter than these."""

TEMPO_MARGIN = 1.25
"""Factor beyond the longest and shortest of the voice's own clips over their expected lengths. Adapters that listeners
took kept within 0.83 and 1.09 in 80 % of clips (Alexandria). On eight espeak-ng and flite voices, 20 own clips each,
this flags none of 320 other clean clips, all clips cut at half and 9 in 10 that lack their middle."""

MIN_CLIPS = 20
"""Fewer clips say little about the range of a voice's tempo."""


def letters(text: str) -> int:
    """Number of letters and digits in a text, in any script."""
    return sum(character.isalnum() for character in text)


class SpeakingRate(FrozenModel):
    """seconds = pause + per_letter × letters, fitted to one dataset."""

    pause: float
    per_letter: float

    def expected_seconds(self, text: str) -> float:
        return self.pause + self.per_letter * letters(text)

    def frame_cap(self, text: str) -> int:
        """Codec frames after which a line is cut off, so that a runaway costs seconds and not the library's 164 s."""
        seconds = FRAME_CAP_FACTOR * self.expected_seconds(text) + FRAME_CAP_SECONDS
        return max(MIN_FRAME_CAP, round(CODEC_FRAMES_PER_SECOND * seconds))


def tempo_bounds(own: Sequence[float]) -> tuple[float, float]:
    """Least and most of a line's length over its expected length, given these ratios of the voice's own clips."""
    if len(own) < MIN_CLIPS:
        return LINE_TEMPO
    (least, most), (slow_enough, fast_enough) = LINE_TEMPO, NARROWEST_TEMPO
    return (
        min(max(least, min(own) / TEMPO_MARGIN), slow_enough),
        max(min(most, max(own) * TEMPO_MARGIN), fast_enough),
    )


def fit_speaking_rate(texts: Sequence[str], seconds: Sequence[float]) -> SpeakingRate:
    """Least squares with both terms at least 0; one rate through the origin when all texts have one length.

    Raises ValueError when no text has a letter.
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
"""Letters and the spaces between words: 150 words a minute, each of five letters and a space. The demo voice's clips
take 0.8 to 1.24 of what this gives."""

SYLLABLES_PER_SECOND = 5.0
"""For scripts in which a letter is a whole syllable, and for digits. Pellegrino, Coupé and Marsico (2011) measured 5.2
syllables a second of Mandarin and 7.8 of Japanese, whose Han letters have more than one each."""

ALPHABETS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "FULLWIDTH", "MODIFIER", "MATHEMATICAL")
SYLLABARIES = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "ETHIOPIC", "YI", "DIGIT", "IDEOGRAPHIC")
"""First words of the Unicode names of their letters."""

MAX_UNKNOWN_SHARE = 0.1


def default_seconds(text: str) -> float | None:
    """Seconds that reading the text aloud commonly takes.

    None when more than a tenth of its letters are of a script whose pace is not known, such as one that leaves out
    vowels.
    """
    rates = [_units_per_second(character) for character in text if character.isalnum()]
    if rates.count(None) > MAX_UNKNOWN_SHARE * len(rates):
        return None
    spoken = sum(1 / (rate or CHARACTERS_PER_SECOND) for rate in rates)
    # Spaces count between words with letters or digits only.
    spaces = sum(bool(letters(word)) for word in text.split()) - 1
    return PAUSE_SECONDS + spoken + max(0, spaces) / CHARACTERS_PER_SECOND


def _units_per_second(character: str) -> float | None:
    """How many such characters are spoken per second; None for an unknown script."""
    script = unicodedata.name(character, "").partition(" ")[0].partition("-")[0]
    if script in SYLLABARIES:
        return SYLLABLES_PER_SECOND
    return CHARACTERS_PER_SECOND if script in ALPHABETS else None
