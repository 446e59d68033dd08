"""How much of a text was understood."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import jiwer

from trainable.speech.text.numbers import ANY_LANGUAGE, spoken_parts

JUDGED_LETTERS = 12
"""Shorter texts are not judged by their words: one misheard word of one word says little about the speaker."""

APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u201b\u02bb\u02bc\u00b4`\uff07"), "'")
"""Quotes, modifier letters and accents that stand alone: keyboards and recognisers write any of them."""

UNWRITTEN = re.compile(r"[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0640]")
"""Hebrew points and Arabic vowel signs, which readers and recognisers leave out, and the Arabic stroke that only
stretches a line. Vowel signs of other scripts are letters to their readers, and kept."""

SPACELESS = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3005\u3007\u3040-\u30ff\u3100-\u312f"  # kana, bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Han
)
"""Scripts that put no space between words, so that a space beside such a letter says nothing."""
SPACE_WITHOUT_MEANING = re.compile(f" (?=[{SPACELESS}])|(?<=[{SPACELESS}]) ")


def words(text: str) -> str:
    """Words as a listener could tell them apart, with single spaces between.

    Case, Unicode form (NFKC) and punctuation are gone, apostrophes within a word are kept as ', marks stay with their
    letters. Numbers stay as they are written: neither digits nor words are turned into the other. What to do follows
    from the script of each letter, not from a language that has to be named, so text and transcript agree in any mix.
    """
    folded = unicodedata.normalize("NFKC", text.translate(APOSTROPHES)).casefold()
    written = UNWRITTEN.sub("", folded.translate(APOSTROPHES))
    kept = "".join(_kept(character) for character in written)
    kept = unicodedata.normalize("NFC", kept.replace("i\u0307", "i"))
    plain = " ".join(filter(None, (word.strip("'") for word in re.sub(r"'{2,}", " ", kept).split())))
    return SPACE_WITHOUT_MEANING.sub("", plain)


def character_error(text: str, heard: str, language: str = ANY_LANGUAGE) -> float:
    """Character error rate of what was heard, both normalised; 0 is perfect, above 1 means more was heard than said.

    Digits of either side count as the words they may stand for in the language (`spoken_parts`): each number as it
    agrees best, one after the other, so a line of numbers takes few comparisons. Raises ValueError when the text has no
    word to understand.
    """
    if not words(text):
        raise ValueError(f"a character error needs a text with words, got {text!r}")
    sides = [spoken_parts(text, language), spoken_parts(heard, language)]
    chosen = [[ways[0] for ways in parts] for parts in sides]
    least = _error(*chosen)
    for side, parts in zip(chosen, sides, strict=True):
        for place, ways in enumerate(parts):
            best = ways[0]
            for way in ways[1:]:
                side[place] = way
                error = _error(*chosen)
                if error < least:
                    least, best = error, way
            side[place] = best
    return least


def _error(said: Sequence[str], heard: Sequence[str]) -> float:
    return float(jiwer.cer(words("".join(said)), words("".join(heard))))


def _kept(character: str) -> str:
    """A letter, mark, digit or apostrophe itself; nothing for what is not seen, such as a soft hyphen; else a space."""
    kind = unicodedata.category(character)
    if kind[0] in "LNM" or character == "'":
        return character
    return "" if kind == "Cf" else " "
