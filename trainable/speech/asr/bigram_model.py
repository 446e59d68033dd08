"""A language model of pairs of words in which everything can be said, in the ARPA format."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

PAIRS = 0.5
"""Share of the probability after a word that goes to the words which followed it in a sentence. The rest goes to every
word alike: what is said need not be what is expected."""
START, END = "<s>", "</s>"
NEVER = -99.0
"""What the format writes for the logarithm of 0: a sentence starts once."""


def arpa(sentences: Sequence[Sequence[str]]) -> str:
    """The model of sentences of words, logarithms to base ten.

    After the word h, the word w has the probability PAIRS · count(h w) / count(h) + (1 - PAIRS) / (words + 1): an
    interpolated bigram model over a uniform one, in which the end of the sentence counts as a word. At least one
    sentence must have a word.
    """
    said = [(START, *sentence, END) for sentence in sentences if sentence]
    histories = Counter(word for sentence in said for word in sentence[:-1])
    pairs = Counter(pair for sentence in said for pair in pairwise(sentence))
    vocabulary = sorted({START, END, *histories})
    any_word, other = 1 / (len(vocabulary) - 1), math.log10(1 - PAIRS)
    singles = [
        f"{NEVER if word == START else math.log10(any_word):.6f} {word}" + ("" if word == END else f" {other:.6f}")
        for word in vocabulary
    ]
    doubles = [
        f"{math.log10(PAIRS * count / histories[one] + (1 - PAIRS) * any_word):.6f} {one} {two}"
        for (one, two), count in sorted(pairs.items())
    ]
    counts = (f"ngram 1={len(singles)}", f"ngram 2={len(doubles)}")
    return "\n".join(["\\data\\", *counts, "", "\\1-grams:", *singles, "", "\\2-grams:", *doubles, "", "\\end\\", ""])
