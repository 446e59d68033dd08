"""What shows only with a model at hand: how its tokenizer takes the texts, and whom its speaker encoder hears."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from trainable.dataset.finding import Finding, Severity

PIECE = "\N{REPLACEMENT CHARACTER}"
"""What a token decodes to that ends within a character."""
SHOWN_CHARACTERS = 20
OUTLIER_MARGIN = 0.05
"""A reference should be no further from the clips' mean than their farthest, and this. Another voice was found so in
88 of 100 cases and the right one never; the reference of a wrong speaker cost 0.54 in all."""
OUTLIER_SHARE = 2.0
"""Percent of the clips that may lie farther than what counts as their farthest: one of them may be bad itself."""
LEAST_CLIPS = 3


class Tokenizer(Protocol):
    """What is asked of a tokenizer; those of `transformers` are such."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...


def check_tokenizer(texts: Iterable[str], tokenizer: Tokenizer) -> list[Finding]:
    """One warning that lists the characters which a byte-level tokenizer knows only as bytes, like the ƙ of Hausa.

    A character counts where its text really splits it: some are joined with a neighbour by a merge of their own.
    """
    split: Counter[str] = Counter()
    touched = total = 0
    seen = _Splitter(tokenizer)
    for text in texts:
        total += 1
        characters = seen.split_in(text)
        split.update(characters)
        touched += bool(characters)
    if not split:
        return []
    shown = ", ".join(f"{character} ({count})" for character, count in split.most_common(SHOWN_CHARACTERS))
    more = f" and {len(split) - SHOWN_CHARACTERS} more" if len(split) > SHOWN_CHARACTERS else ""
    message = (
        f"{touched} of {total} transcripts hold characters that the tokenizer splits into bytes: {shown}{more} (in "
        "brackets the transcripts of each). The model has seldom seen them, so they need more clips to be learned; see "
        "that they are meant, and written in one way throughout"
    )
    return [Finding(severity=Severity.WARNING, check="split-characters", where="transcripts", message=message)]


class _Splitter:
    """Finds split characters; what it has learned of a token or a character it keeps."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoded: dict[int, str] = {}
        self._alone: dict[str, bool] = {}

    def split_in(self, text: str) -> set[str]:
        """Characters of a text that lie across several of its tokens."""
        if not any(map(self._splits, set(text))):
            return set()
        found: set[str] = set()
        waiting: list[int] = []
        for token in self._tokenizer.encode(text, add_special_tokens=False):
            if not waiting and PIECE not in self._decode(token):
                continue
            waiting.append(token)
            whole = self._tokenizer.decode(waiting)
            if PIECE not in whole:
                found |= {character for character in whole if self._splits(character)}
                waiting = []
        return found

    def _splits(self, character: str) -> bool:
        """Whether the character, by itself, takes more than one token."""
        if character not in self._alone:
            ids = self._tokenizer.encode(character, add_special_tokens=False)
            self._alone[character] = len(ids) > 1 and any(PIECE in self._decode(token) for token in ids)
        return self._alone[character]

    def _decode(self, token: int) -> str:
        if token not in self._decoded:
            self._decoded[token] = self._tokenizer.decode([token])
        return self._decoded[token]


def check_reference_voice(
    reference: np.ndarray, clips: np.ndarray, names: Sequence[str] = (), where: str = "reference"
) -> list[Finding]:
    """A warning when the reference is not the voice of the clips, by the model's own speaker encoder.

    reference: [dimensions], clips: [clips, dimensions], speaker embeddings. With the clips' `names` the warning says
    which of them is nearest to the middle. Fewer than 3 clips tell nothing.
    """
    if len(clips) < LEAST_CLIPS:
        return []
    rows = _unit(np.asarray(clips, dtype=np.float64))
    total = rows.sum(axis=0)
    # Each clip against the mean of the others, as the reference is against a mean that it is no part of.
    own = np.sum(rows * _unit(total - rows), axis=1)
    cosine = float(_unit(np.asarray(reference, dtype=np.float64)) @ _unit(total))
    lowest = float(np.percentile(own, OUTLIER_SHARE))
    if cosine >= lowest - OUTLIER_MARGIN:
        return []
    instead = f"; {names[int(own.argmax())]} is nearest to them" if len(names) == len(rows) else ""
    message = (
        f"the reference sounds like another speaker: its cosine to the clips' mean is {cosine:.2f}, theirs "
        f"{lowest:.2f} to {float(own.max()):.2f}. Take a recording of the voice that is to be learned{instead}"
    )
    return [Finding(severity=Severity.WARNING, check="reference-voice", where=where, message=message)]


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
