"""How much of a text was understood."""

from __future__ import annotations

import re

import jiwer

JUDGED_LETTERS = 12
"""Shorter texts are not judged by their words: one misheard word of one word says little about the speaker."""


def words(text: str) -> str:
    """Lower-case words without punctuation, apostrophes kept, single spaces between."""
    return " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.replace("\u2019", "'").lower()))


def character_error(text: str, heard: str) -> float:
    """Character error rate of what was heard, both normalised; 0 is perfect, above 1 means more was heard than said.

    Raises ValueError when the text has no word to understand.
    """
    wanted = words(text)
    if not wanted:
        raise ValueError(f"a character error needs a text with words, got {text!r}")
    return float(jiwer.cer(wanted, words(heard)))
