"""Words and phrases that a transcript repeats or adds and its text does not."""

from collections import Counter
from itertools import pairwise

import jiwer

from trainable.speech.text.error_rate import normalise

MAX_INSERTED_SHARE = 0.3
"""More inserted words per word of the text mean that a line repeats itself or babbles."""

MIN_TRAILING_WORDS = 4
"""From this many transcribed words after the end of the text, not in place of its last ones, a line babbles on. Of 480
clean clips of eight espeak-ng and flite voices, transcribed by pocketsphinx, none has so many and one has three; of 80
followed by 2.3 s of babble in the same voice, 78 have."""

SHORT_TEXT_WORDS = 10
EXTRA_IN_SHORT, EXTRA_IN_LONG = 2, 3
"""A word is repeated when the transcript has it this many times more often than the text, in a text of at most ten
words and in a longer one (thresholds of tts-audiobook-tool). Only inserted words count: pocketsphinx often puts short
words such as "the" in place of others. With those counted, 31 of 224 clean passages of five sentences were loops;
without, none."""

MIN_SURPLUS_WORDS = 3
"""From this many words more than its text, a line of few letters says something else. Of 76 clean prompts of a human
voice with fewer than 12 letters, transcribed by Whisper tiny.en and by pocketsphinx, none has so many; of 20 long ones
in their place all have."""

MAX_PAIRED_SHARE = 0.25
"""Clean lines of digits whose sound repeats itself have at least 0.27 of their words in pairs that come twice; of 300
passages of prompts in which a pair comes twice, 95 % have less."""

MAX_PHRASE_WORDS = 12
"""Longest phrase whose repetition is searched for; the words of a longer one are found as occurring too often."""


def repeated_words(text: str, heard: str) -> list[str]:
    """Phrases that the transcript `heard` repeats and the text does not, each once.

    Either a phrase comes twice in a row and one occurrence is not in the text, or a word of the text comes far more
    often than there. A single word that comes once too often does not count: recognisers make such mistakes.
    """
    expected, got = normalise(text).split(), normalise(heard).split()
    inserted = _inserted(expected, got)
    extra = Counter(word for word, is_inserted in zip(got, inserted, strict=True) if is_inserted)
    found = [phrase for phrase in _adjacent_repeats(got, inserted) if extra.get(phrase) != 1]
    threshold = EXTRA_IN_SHORT if len(expected) <= SHORT_TEXT_WORDS else EXTRA_IN_LONG
    surplus = extra & (Counter(got) - Counter(expected))
    known = {word for phrase in found for word in phrase.split()}
    found += [
        word for word in dict.fromkeys(got) if word in expected and surplus[word] >= threshold and word not in known
    ]
    return list(dict.fromkeys(found))


def inserted_share(text: str, heard: str) -> float:
    """Inserted words over the words of the text, at least 0; for a text without words, the words transcribed."""
    expected, got = normalise(text).split(), normalise(heard).split()
    return sum(_inserted(expected, got)) / max(1, len(expected))


def trailing_words(text: str, heard: str) -> int:
    """How many more words the transcript has than the text after the last word that both share, at least 0.

    Without a shared word all words count; 0 for a text without words.
    """
    expected, got = normalise(text), normalise(heard)
    if not expected or not got:
        return 0
    extra = 0
    for chunk in reversed(jiwer.process_words(expected, got).alignments[0]):
        if chunk.type == "equal":
            break
        extra += (chunk.hyp_end_idx - chunk.hyp_start_idx) - (chunk.ref_end_idx - chunk.ref_start_idx)
    return max(0, extra)


def has_doubled_word(text: str) -> bool:
    """Whether the text has a word twice in a row, which may sound like a stutter."""
    return any(first == second for first, second in pairwise(normalise(text).split()))


def has_repetition(text: str) -> bool:
    """Whether the text says so much twice that it may sound like a loop: three words in a row, or pairs of words that
    come twice and make up a quarter of it.

    A pair such as "to the" alone excuses nothing: if it did, 17 of 36 looped passages of a human voice would pass. As
    it does not, none does, and none of 12 clean passages is taken for a loop.
    """
    words = normalise(text).split()
    return _repeated_share(words, 3) > 0 or _repeated_share(words, 2) >= MAX_PAIRED_SHARE


def _repeated_share(words: list[str], length: int) -> float:
    """Share of the words that belong to a phrase of so many words which comes more than once."""
    phrases = [tuple(words[first : first + length]) for first in range(len(words) - length + 1)]
    counts = Counter(phrases)
    repeated = {place + at for place, phrase in enumerate(phrases) if counts[phrase] > 1 for at in range(length)}
    return len(repeated) / max(1, len(words))


def surplus_words(text: str, heard: str) -> int:
    """How many more words the transcript has than the text, at least 0."""
    return max(0, len(normalise(heard).split()) - len(normalise(text).split()))


def _inserted(expected: list[str], got: list[str]) -> list[bool]:
    """For each transcribed word, whether the alignment with the text inserts it."""
    if not expected or not got:
        return [True] * len(got)
    inserted = [False] * len(got)
    for chunk in jiwer.process_words(" ".join(expected), " ".join(got)).alignments[0]:
        if chunk.type == "insert":
            for place in range(chunk.hyp_start_idx, chunk.hyp_end_idx):
                inserted[place] = True
    return inserted


def _adjacent_repeats(got: list[str], inserted: list[bool]) -> list[str]:
    """Phrases that come twice in a row with at least as many insertions among them as the phrase has words."""
    found, covered = [], [False] * len(got)
    for length in range(1, MAX_PHRASE_WORDS + 1):
        for first in range(len(got) - 2 * length + 1):
            middle, last = first + length, first + 2 * length
            is_repeat = got[first:middle] == got[middle:last] and sum(inserted[first:last]) >= length
            if is_repeat and not all(covered[first:last]):
                found.append(" ".join(got[first:middle]))
                covered[first:last] = [True] * (2 * length)
    return found
