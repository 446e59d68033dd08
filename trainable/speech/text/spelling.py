"""Spellings of one word as one: simplified for traditional Chinese characters, Bokmål for Nynorsk."""

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from trainable.speech.text.number_words import ANY_LANGUAGE, CHINESE, NORWEGIAN, language_code

if TYPE_CHECKING:
    from opencc import OpenCC

HAN = re.compile("[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
ZEROS = str.maketrans("〇", "零")
TABLES = Path(__file__).parent / "spellings"


def one_spelling(text: str, language: str) -> str:
    """A normalised text with each word in one of its spellings.

    Chinese characters count as simplified ones, in Chinese and where the language is `auto`. Frequent Norwegian words
    count as one of their spellings in Bokmål or Nynorsk.
    """
    code = language_code(language)
    if HAN.search(text) and (code == CHINESE or language == ANY_LANGUAGE):
        return _simplified_characters().convert(text).translate(ZEROS)
    if code == NORWEGIAN:
        spellings = _spellings("norwegian.txt")
        return " ".join(spellings.get(word, word) for word in text.split())
    return text


@lru_cache(maxsize=1)
def _simplified_characters() -> "OpenCC":
    from opencc import OpenCC

    return OpenCC("t2s")


@lru_cache(maxsize=4)
def _spellings(file: str) -> dict[str, str]:
    """Each spelling of a table → the first of its line."""
    lines = (TABLES / file).read_text(encoding="utf-8").splitlines()
    groups = [line.split() for line in lines if line and not line.startswith("#")]
    return {word: group[0] for group in groups for word in group}
