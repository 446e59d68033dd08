"""Builds a bigram language model in the ARPA format in which every word may follow every other."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

BIGRAM_WEIGHT = 0.5
"""Share of the probability after a word that goes to the words that followed it in a sentence. The rest is spread over
all words, since the speech need not match the sentences."""
START, END = "<s>", "</s>"
LOG_ZERO = -99.0
"""How the format writes the logarithm of 0: a sentence starts once."""


def arpa(sentences: Sequence[Sequence[str]]) -> str:
    """The model of sentences of words, with logarithms to base ten.

    After the word h, the word w has the probability BIGRAM_WEIGHT · count(h w) / count(h) + (1 - BIGRAM_WEIGHT) /
    (words + 1): a bigram model interpolated with a uniform one, in which the end of the sentence counts as a word. At
    least one sentence must have a word.
    """
    marked = [(START, *sentence, END) for sentence in sentences if sentence]
    histories = Counter(word for sentence in marked for word in sentence[:-1])
    pairs = Counter(pair for sentence in marked for pair in pairwise(sentence))
    vocabulary = sorted({START, END, *histories})
    uniform, backoff = 1 / (len(vocabulary) - 1), math.log10(1 - BIGRAM_WEIGHT)
    unigrams = [
        f"{LOG_ZERO if word == START else math.log10(uniform):.6f} {word}" + ("" if word == END else f" {backoff:.6f}")
        for word in vocabulary
    ]
    bigrams = [
        f"{math.log10(BIGRAM_WEIGHT * count / histories[one] + (1 - BIGRAM_WEIGHT) * uniform):.6f} {one} {two}"
        for (one, two), count in sorted(pairs.items())
    ]
    counts = (f"ngram 1={len(unigrams)}", f"ngram 2={len(bigrams)}")
    return "\n".join(["\\data\\", *counts, "", "\\1-grams:", *unigrams, "", "\\2-grams:", *bigrams, "", "\\end\\", ""])
