"""The word difference between a text and its transcript."""

import re
from difflib import SequenceMatcher
from enum import StrEnum
from typing import NamedTuple

from trainable.speech.text.error_rate import normalise
from trainable.speech.text.scripts import SPACELESS

_TOKENS = re.compile(rf"(?:[{SPACELESS}]|[^\s{SPACELESS}]+)\s*")
"""A word, or one letter of a script without spaces, with the space after it."""


class WordEdit(StrEnum):
    SAME = "same"
    MISSING = "missing"
    """In the text but not in the transcript."""
    EXTRA = "extra"
    """In the transcript but not in the text."""


class DiffPiece(NamedTuple):
    kind: WordEdit
    text: str


def word_diff(text: str, heard: str) -> list[DiffPiece]:
    """The transcript in pieces, with the missing words between them; case and punctuation are ignored.

    Without the missing pieces, the pieces spell the transcript, except for space around it.
    """
    expected: list[str] = _TOKENS.findall(text.strip())
    transcript: list[str] = _TOKENS.findall(heard.strip())
    pieces: list[DiffPiece] = []
    matcher = SequenceMatcher(
        None, [_plain(token) for token in expected], [_plain(token) for token in transcript], False
    )
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind == "equal":
            pieces.append(DiffPiece(WordEdit.SAME, "".join(transcript[k:m])))
            continue
        missing, extra = "".join(expected[i:j]), "".join(transcript[k:m])
        # Punctuation on its own is not spoken.
        if missing and normalise(missing):
            pieces.append(DiffPiece(WordEdit.MISSING, missing))
        if extra:
            pieces.append(DiffPiece(WordEdit.EXTRA if normalise(extra) else WordEdit.SAME, extra))
    return pieces


def _plain(token: str) -> str:
    return normalise(token) or token.strip()
