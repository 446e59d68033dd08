"""Checks of transcripts. Each takes a dataset and returns its findings."""

import unicodedata
from collections import Counter

from trainable.dataset.checks.grouping import Hit, Wording, grouped
from trainable.dataset.clip import VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.split import normalise
from trainable.speech.tempo import letters

FEW_REPEATED = 0.1
"""Up to this share of clips, repeated texts are a note, not a warning: "Yes." may well come several times."""
EXPANDED_PUNCTUATION = frozenset("%‰&@#/*_|\\[]{}<>^§†")
EXPANDED_CATEGORIES = ("Nd", "Nl", "No", "Sc", "Sm", "So")
"""Unicode's numbers, and its currency, mathematical and other symbols."""
UNEXPANDED = frozenset("~～")
"""Symbols by category that only lengthen a vowel in writing."""
MAX_SYMBOLS = 6
"""Words with symbols that a message shows of one clip."""


def wordless(dataset: VoiceDataset) -> list[Finding]:
    hits = [Hit(clip, clip.text.strip()[:20]) for clip in dataset.clips if not letters(clip.text)]
    advice = "a transcript needs letters; write what is said, or remove the line"
    one, many = "has a transcript without a word", "have transcripts without a word"
    return grouped(dataset, "wordless", Severity.ERROR, hits, Wording(one, many, advice))


def symbols(dataset: VoiceDataset) -> list[Finding]:
    """Digits and symbols that can be read aloud in several ways, of which the recording holds one."""
    hits = []
    for clip in dataset.clips:
        found = ambiguous_words(clip.text)
        if found and letters(clip.text):
            hits.append(Hit(clip, " ".join(found[:MAX_SYMBOLS])))
    advice = "write them as they are spoken (“$5” as “five dollars”), or the model learns to guess"
    one, many = "holds digits, symbols or an address", "hold digits, symbols or addresses"
    return grouped(dataset, "symbols", Severity.WARNING, hits, Wording(one, many, advice))


def ambiguous_words(text: str) -> list[str]:
    """Words that a reader must expand: those with a digit or a symbol, and web addresses."""
    return [word.strip(".,;:!?\"'()“”„«»") for word in text.split() if _is_ambiguous(word)]


def duplicate_text(dataset: VoiceDataset) -> list[Finding]:
    first: dict[str, str] = {}
    hits = []
    for clip in dataset.clips:
        key = normalise(clip.text)
        if key in first:
            hits.append(Hit(clip, f"as {first[key]}"))
        elif key:
            first[key] = clip.audio.name
    severity = Severity.WARNING if len(hits) > FEW_REPEATED * len(dataset.clips) else Severity.NOTE
    advice = (
        "clips of one text are trained on together or held out together. Different sentences teach more than one "
        "sentence said twice"
    )
    one, many = "has the same text as an earlier clip", "have the same text as an earlier clip"
    return grouped(dataset, "duplicate-text", severity, hits, Wording(one, many, advice))


def language(dataset: VoiceDataset) -> list[Finding]:
    """Clips whose source names another language than that of most clips."""
    languages = Counter(clip.language.casefold() for clip in dataset.clips if clip.language)
    if len(languages) < 2:
        return []
    most = languages.most_common(1)[0][0]
    hits = [Hit(clip, clip.language) for clip in dataset.clips if clip.language and clip.language.casefold() != most]
    advice = f"most are {most}, and a search trains and probes in one language; remove them, or correct the source"
    one, many = "is in another language", "are in other languages"
    return grouped(dataset, "language", Severity.WARNING, hits, Wording(one, many, advice))


CHECKS = (wordless, symbols, duplicate_text, language)


def _is_ambiguous(word: str) -> bool:
    lowered = word.casefold()
    return "www." in lowered or "://" in lowered or any(map(_is_symbol, word))


def _is_symbol(character: str) -> bool:
    if character in UNEXPANDED:
        return False
    return character in EXPANDED_PUNCTUATION or unicodedata.category(character) in EXPANDED_CATEGORIES
