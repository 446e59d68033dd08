"""Words of a text that its transcript lacks, counted in the largest single gap."""

from collections.abc import Sequence

import jiwer
import numpy as np

from trainable.speech.text.error_rate import normalise

MAX_OMITTED_SHARE, OMITTED_MARGIN = 0.2, 0.1
"""A larger share of the text's words missing in one place means that the text was cut. The threshold rises to 0.1 above
the 95th percentile of the voice's own clips. Of 320 clean clips of eight espeak-ng and flite voices, transcribed by
pocketsphinx, one misses more and 99 % at most 0.18; of 80 clips without their middle 40 % the least share is 0.24."""

MIN_OMITTED_WORDS = 3
"""Fewer words in one place may be misheard, and would be a large share of a short text."""


def omitted_words(text: str, heard: str) -> int:
    """The number of words of the text that are missing in the largest gap of its transcript `heard`.

    A gap lies between two words that were transcribed exactly, or at either end. It counts the text's words in it minus
    those transcribed in their place, so misheard words are not missing. Returns 0 when either side has digits, since
    recognisers write several words as one number. A text without spaces misses one word at most.
    """
    expected, got = normalise(text), normalise(heard)
    if any(character.isdecimal() for character in expected + got):
        return 0
    if not expected or not got:
        return len(expected.split())
    largest = gap = 0
    for chunk in jiwer.process_words(expected, got).alignments[0]:
        if chunk.type == "equal":
            gap = 0
            continue
        gap += (chunk.ref_end_idx - chunk.ref_start_idx) - (chunk.hyp_end_idx - chunk.hyp_start_idx)
        largest = max(largest, gap)
    return largest


def omitted_share(text: str, heard: str) -> float:
    """`omitted_words` over the words of the text, in [0, 1]; 0 for fewer than three words."""
    missing = omitted_words(text, heard)
    return missing / len(normalise(text).split()) if missing >= MIN_OMITTED_WORDS else 0.0


def omitted_threshold(own: Sequence[float]) -> float:
    """The share above which a text was cut, given the shares of the voice's own clips."""
    return max(MAX_OMITTED_SHARE, float(np.percentile(own, 95)) + OMITTED_MARGIN) if own else MAX_OMITTED_SHARE
