"""What was heard, set against what should have been said, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from enum import StrEnum
from typing import NamedTuple

from trainable.speech.text.error_rate import SPACELESS, words

_TOKENS = re.compile(rf"(?:[{SPACELESS}]|[^\s{SPACELESS}]+)\s*")
"""A word, or one letter of a script without spaces, with the space behind it."""


class WordEdit(StrEnum):
    SAME = "same"
    MISSING = "missing"
    """In the text, and not heard."""
    EXTRA = "extra"
    """Heard, and not in the text."""


class DiffPiece(NamedTuple):
    kind: WordEdit
    text: str


def word_diff(text: str, heard: str) -> list[DiffPiece]:
    """What was heard in pieces, with what is missing between them; case and punctuation make no difference.

    The pieces that are not missing spell what was heard, but for space around it; the others spell the text.
    """
    said, understood = _TOKENS.findall(text.strip()), _TOKENS.findall(heard.strip())
    pieces: list[DiffPiece] = []
    matcher = SequenceMatcher(None, [_plain(token) for token in said], [_plain(token) for token in understood], False)
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind == "equal":
            pieces.append(DiffPiece(WordEdit.SAME, "".join(understood[k:m])))
            continue
        missing, extra = "".join(said[i:j]), "".join(understood[k:m])
        # A mark that stands alone was not to be heard.
        if missing and words(missing):
            pieces.append(DiffPiece(WordEdit.MISSING, missing))
        if extra:
            pieces.append(DiffPiece(WordEdit.EXTRA if words(extra) else WordEdit.SAME, extra))
    return pieces


def _plain(token: str) -> str:
    return words(token) or token.strip()
