"""Normalises texts and computes the character error rate of a transcript."""

import re
import unicodedata
from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from trainable.speech.text.number_words import ANY_LANGUAGE
from trainable.speech.text.numbers import spoken_parts
from trainable.speech.text.scripts import SPACELESS
from trainable.speech.text.spelling import one_spelling

MIN_JUDGED_LETTERS = 12
"""Shorter texts are not judged by their words: one misheard word in a text of one word says little."""

APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u201b\u02bb\u02bc\u00b4`\uff07"), "'")
"""Quotes, modifier letters and accents that stand alone: keyboards and recognisers write any of them."""

OPTIONAL_MARKS = re.compile(
    r"[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0640]"
)
"""Hebrew points and Arabic vowel signs, which writers and recognisers leave out, and the Arabic stroke that only
stretches a line. Vowel signs of other scripts count as letters and are kept."""

MEANINGLESS_SPACE = re.compile(f" (?=[{SPACELESS}])|(?<=[{SPACELESS}]) ")


def normalise(text: str) -> str:
    """The words of a text with single spaces between, without what cannot be heard.

    Case, Unicode form (NFKC) and punctuation are removed, apostrophes within a word are kept as ', marks stay with
    their letters. Numbers stay as written: digits and number words are not converted. The rules depend on the script
    of each letter and not on a language, so text and transcript agree in any mix of languages.
    """
    folded = unicodedata.normalize("NFKC", text.translate(APOSTROPHES)).casefold()
    written = OPTIONAL_MARKS.sub("", folded.translate(APOSTROPHES))
    kept = "".join(_kept(character) for character in written)
    kept = unicodedata.normalize("NFC", kept.replace("i\u0307", "i"))
    plain = " ".join(filter(None, (word.strip("'") for word in re.sub(r"'{2,}", " ", kept).split())))
    return MEANINGLESS_SPACE.sub("", plain)


def character_error(text: str, heard: str, language: str = ANY_LANGUAGE) -> float:
    """Character error rate of the transcript `heard`, both texts normalised; 0 is perfect, and it may exceed 1.

    Numbers on either side count as the words they may stand for in the language (`spoken_parts`), and spellings of one
    word as one (`one_spelling`). The best reading of each number is chosen one number after the other, so that a line
    of numbers takes few comparisons. Raises ValueError when the text has no words.
    """
    if not normalise(text):
        raise ValueError(f"a character error needs a text with words, got {text!r}")
    sides = [_comparable_parts(text, language), _comparable_parts(heard, language)]
    chosen = [[readings[0] for readings in parts] for parts in sides]
    least = _error(*chosen)
    for side, parts in zip(chosen, sides, strict=True):
        for place, readings in enumerate(parts):
            best = readings[0]
            for reading in readings[1:]:
                if not least:
                    return least
                side[place] = reading
                error = _error(*chosen)
                if error < least:
                    least, best = error, reading
            side[place] = best
    return least


def _comparable_parts(text: str, language: str) -> list[tuple[str, ...]]:
    """The parts of a text at its numbers, each reading normalised and in one spelling."""
    parts = [
        tuple(dict.fromkeys(one_spelling(normalise(reading), language) for reading in readings))
        for readings in spoken_parts(text, language)
    ]
    return [readings for readings in parts if readings != ("",)]


def _error(text_parts: Sequence[str], heard_parts: Sequence[str]) -> float:
    text, heard = (MEANINGLESS_SPACE.sub("", " ".join(filter(None, parts))) for parts in (text_parts, heard_parts))
    return Levenshtein.distance(text, heard) / len(text)


def _kept(character: str) -> str:
    """The character itself for a letter, mark, digit or apostrophe; nothing for an invisible one; else a space."""
    category = unicodedata.category(character)
    if category[0] in "LNM" or character == "'":
        return character
    return "" if category == "Cf" else " "
