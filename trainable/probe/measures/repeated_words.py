"""Words that a transcript has again and the text has not."""

from __future__ import annotations

from collections import Counter

import jiwer

from trainable.speech.text.error_rate import words

INSERTED = 0.3
"""Inserted words per word of the text, above which a line repeats itself or babbles on."""

BABBLED_ON = 4
"""Words heard after the end of the text, and not in place of its last ones, from which a line babbles on. Of 480 clean
clips of eight espeak-ng and flite voices, understood by pocketsphinx, none has so many and one has three; of 80
followed by 2.3 s of babble in the same voice 78."""

FEW_WORDS = 10
OVER_IN_FEW, OVER_IN_MANY = 2, 3
"""A word is repeated when it is heard so many times more often than the text has it, in a text of at most ten words and
in a longer one; the thresholds are those of tts-audiobook-tool. Only words beside those of the text count: in place of
others pocketsphinx hears short words such as "the", in a passage often. Counted as well, they made 31 of 224 clean
passages of five sentences loops; as it is, none."""

ONCE = 1
"""A word that comes so many times too often is one word wrong, as recognisers mishear them."""

LONGEST_PHRASE = 12
"""Words of the longest phrase whose repetition is looked for; a longer one comes back as over-occurring words."""


def repeated_words(text: str, heard: str) -> list[str]:
    """Phrases that the transcript `heard` says again and the text does not, each once; empty when there are none.

    Either a phrase comes twice in a row and one of the two is more than the text asks for, unless it is a single word
    that comes once too often, or a word of the text comes far more often than there, and not in place of others.
    """
    wanted, got = words(text).split(), words(heard).split()
    inserted = _inserted(wanted, got)
    too_often = Counter(word for word, is_inserted in zip(got, inserted, strict=True) if is_inserted)
    found = [phrase for phrase in _adjacent(got, inserted) if too_often.get(phrase) != ONCE]
    allowed = OVER_IN_FEW if len(wanted) <= FEW_WORDS else OVER_IN_MANY
    more = too_often & (Counter(got) - Counter(wanted))
    known = {word for phrase in found for word in phrase.split()}
    found += [word for word in dict.fromkeys(got) if word in wanted and more[word] >= allowed and word not in known]
    return list(dict.fromkeys(found))


def inserted_share(text: str, heard: str) -> float:
    """Inserted words over the words of the text, at least 0; of a text without words, the number of words heard."""
    wanted, got = words(text).split(), words(heard).split()
    return sum(_inserted(wanted, got)) / max(1, len(wanted))


def words_after_the_end(text: str, heard: str) -> int:
    """How many more words were heard than the text has after the last word that was heard as it is written, at least 0.

    All of them where no word was; 0 of a text without words.
    """
    wanted, got = words(text), words(heard)
    if not wanted or not got:
        return 0
    more = 0
    for chunk in reversed(jiwer.process_words(wanted, got).alignments[0]):
        if chunk.type == "equal":
            break
        more += (chunk.hyp_end_idx - chunk.hyp_start_idx) - (chunk.ref_end_idx - chunk.ref_start_idx)
    return max(0, more)


def doubles_a_word(text: str) -> bool:
    """Whether the text says a word twice in a row: it may sound like a stutter."""
    said = words(text).split()
    return any(first == second for first, second in zip(said, said[1:], strict=False))


def repeats_itself(text: str) -> bool:
    """Whether the text says a word twice in a row or two words in the same order twice: it may sound like a loop."""
    said = words(text).split()
    pairs = list(zip(said, said[1:], strict=False))
    return len(set(pairs)) < len(pairs) or doubles_a_word(text)


def _inserted(wanted: list[str], got: list[str]) -> list[bool]:
    """For each word heard, whether it stands for none of the text's."""
    if not wanted or not got:
        return [True] * len(got)
    inserted = [False] * len(got)
    for chunk in jiwer.process_words(" ".join(wanted), " ".join(got)).alignments[0]:
        if chunk.type == "insert":
            for place in range(chunk.hyp_start_idx, chunk.hyp_end_idx):
                inserted[place] = True
    return inserted


def _adjacent(got: list[str], inserted: list[bool]) -> list[str]:
    """Phrases that come twice in a row with as many insertions among them as the phrase has words."""
    found, covered = [], [False] * len(got)
    for length in range(1, LONGEST_PHRASE + 1):
        for first in range(len(got) - 2 * length + 1):
            middle, last = first + length, first + 2 * length
            is_repeat = got[first:middle] == got[middle:last] and sum(inserted[first:last]) >= length
            if is_repeat and not all(covered[first:last]):
                found.append(" ".join(got[first:middle]))
                covered[first:last] = [True] * (2 * length)
    return found
