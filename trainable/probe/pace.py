"""How long a text should take in a voice of which nothing is known."""

from __future__ import annotations

import unicodedata

from trainable.probe.tempo import letters

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
