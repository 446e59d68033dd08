"""Words of a text that nobody said: the most that are missing in one place."""

from __future__ import annotations

from collections.abc import Sequence

import jiwer
import numpy as np

from trainable.speech.text.error_rate import words

OMITTED = 0.2
"""Share of a text's words, missing in one place, above which it was cut; or 0.1 above the 95th percentile of the
voice's own clips. Of 320 clean clips of eight espeak-ng and flite voices, understood by pocketsphinx, one misses more
and 99 % at most 0.18; of 80 clips without their middle 40 % the least share is 0.24."""

OMITTED_MARGIN = 0.1

LEAST_OMITTED = 3
"""Words; fewer are misheard in one place, and of a short text they would be a large share."""


def omitted_words(text: str, heard: str) -> int:
    """How many words of the text are missing in the largest gap of its transcript.

    A gap lies between two words that were heard as they are written, or at either end. It counts the words that the
    text has there beyond those heard in their place: what is misheard is not missing. 0 where either side has digits,
    since recognisers write several words as one number, and of a text without spaces one word at most.
    """
    wanted, got = words(text), words(heard)
    if any(character.isdecimal() for character in wanted + got):
        return 0
    if not wanted or not got:
        return len(wanted.split())
    largest = gap = 0
    for chunk in jiwer.process_words(wanted, got).alignments[0]:
        if chunk.type == "equal":
            gap = 0
            continue
        gap += (chunk.ref_end_idx - chunk.ref_start_idx) - (chunk.hyp_end_idx - chunk.hyp_start_idx)
        largest = max(largest, gap)
    return largest


def omitted_share(text: str, heard: str) -> float:
    """`omitted_words` over the words of the text, in [0, 1]; 0 for fewer than three words."""
    missing = omitted_words(text, heard)
    return missing / len(words(text).split()) if missing >= LEAST_OMITTED else 0.0


def omitted_above(calibrated: Sequence[float]) -> float:
    """The share above which a text was cut, given those of the voice's own clips."""
    return max(OMITTED, float(np.percentile(calibrated, 95)) + OMITTED_MARGIN) if calibrated else OMITTED


def leaves_out(text: str, heard: str, calibrated: Sequence[float]) -> bool:
    """Whether a stretch of the text was not said, given the shares of the voice's own clips."""
    return omitted_share(text, heard) > omitted_above(calibrated)
