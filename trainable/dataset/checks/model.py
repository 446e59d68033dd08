"""Checks that need a model: its tokenizer on the transcripts, and its speaker encoder on the reference."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from trainable.dataset.finding import Finding, Severity

PARTIAL = "\N{REPLACEMENT CHARACTER}"
"""In the decoded text of a token that ends within a character."""
MAX_CHARACTERS = 20
"""Characters that the message lists."""
OUTLIER_MARGIN = 0.05
"""How far the reference's cosine to the clips' mean may be below that of the clips' outliers. So 88 of 100
references of another voice were found, and none of the right voice."""
OUTLIER_PERCENT = 2.0
"""Percentile of the clips' cosines that counts as their lowest: one of the clips may be bad itself."""
MIN_CLIPS = 3


class Tokenizer(Protocol):
    """The methods used of a tokenizer of `transformers`."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...


def check_tokenizer(texts: Iterable[str], tokenizer: Tokenizer) -> list[Finding]:
    """One warning that lists the characters a byte-level tokenizer splits into bytes, like the ƙ of Hausa.

    A character counts only where it is split in its text: some are merged with a neighbour.
    """
    split: Counter[str] = Counter()
    touched = total = 0
    splitter = _Splitter(tokenizer)
    for text in texts:
        total += 1
        characters = splitter.split_in(text)
        split.update(characters)
        touched += bool(characters)
    if not split:
        return []
    listed = ", ".join(f"{character} ({count})" for character, count in split.most_common(MAX_CHARACTERS))
    more = f" and {len(split) - MAX_CHARACTERS} more" if len(split) > MAX_CHARACTERS else ""
    message = (
        f"{touched} of {total} transcripts hold characters that the tokenizer splits into bytes: {listed}{more} (in "
        "brackets the transcripts of each). The model has seldom seen them and needs more clips to learn them; check "
        "that they are intended, and spelled consistently"
    )
    return [Finding(severity=Severity.WARNING, check="split-characters", where="transcripts", message=message)]


class _Splitter:
    """Finds split characters; caches what it knows of each token and character."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoded: dict[int, str] = {}
        self._is_split: dict[str, bool] = {}

    def split_in(self, text: str) -> set[str]:
        """Characters of a text that are spread over several of its tokens."""
        if not any(map(self._splits, set(text))):
            return set()
        found: set[str] = set()
        pending: list[int] = []
        for token in self._tokenizer.encode(text, add_special_tokens=False):
            if not pending and PARTIAL not in self._decode(token):
                continue
            pending.append(token)
            whole = self._tokenizer.decode(pending)
            if PARTIAL not in whole:
                found |= {character for character in whole if self._splits(character)}
                pending = []
        return found

    def _splits(self, character: str) -> bool:
        """Whether the character alone takes several tokens."""
        if character not in self._is_split:
            ids = self._tokenizer.encode(character, add_special_tokens=False)
            self._is_split[character] = len(ids) > 1 and any(PARTIAL in self._decode(token) for token in ids)
        return self._is_split[character]

    def _decode(self, token: int) -> str:
        if token not in self._decoded:
            self._decoded[token] = self._tokenizer.decode([token])
        return self._decoded[token]


def check_reference_voice(
    reference: np.ndarray, clips: np.ndarray, names: Sequence[str] = (), where: str = "reference"
) -> list[Finding]:
    """A warning when the reference is another voice than the clips, by the model's own speaker encoder.

    reference: [dimensions], clips: [clips, dimensions], speaker embeddings. With the clips' `names` the warning
    proposes the clip nearest to their mean. Empty for fewer than 3 clips.
    """
    if len(clips) < MIN_CLIPS:
        return []
    rows = _unit(np.asarray(clips, dtype=np.float64))
    total = rows.sum(axis=0)
    # Each clip is compared with the mean of the others, as the reference is with a mean that does not include it.
    own = np.sum(rows * _unit(total - rows), axis=1)
    cosine = float(_unit(np.asarray(reference, dtype=np.float64)) @ _unit(total))
    lowest = float(np.percentile(own, OUTLIER_PERCENT))
    if cosine >= lowest - OUTLIER_MARGIN:
        return []
    alternative = f"; {names[int(own.argmax())]} is nearest to them" if len(names) == len(rows) else ""
    message = (
        f"the reference sounds like another speaker: its cosine to the clips' mean is {cosine:.2f}, theirs "
        f"{lowest:.2f} to {float(own.max()):.2f}. Use a recording of the voice to be trained{alternative}"
    )
    return [Finding(severity=Severity.WARNING, check="reference-voice", where=where, message=message)]


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
