"""What is wrong with transcripts: each check takes a dataset and returns its findings."""

from __future__ import annotations

import unicodedata
from collections import Counter

from trainable.dataset.checks.grouping import Hit, grouped
from trainable.dataset.clip import VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.split import same_text
from trainable.speech.tempo import letters

FEW_REPEATED = 0.1
"""Share of clips that say what another says already: up to here it is a note. "Yes." may well come several times."""
EXPANDED_PUNCTUATION = frozenset("%‰&@#/*_|\\[]{}<>^§†")
EXPANDED_CATEGORIES = ("Nd", "Nl", "No", "Sc", "Sm", "So")
"""Unicode's numbers and its currency, mathematical and other symbols."""
UNEXPANDED = frozenset("~～")
"""Symbols by category that draw out a vowel in writing and are not read."""
SHOWN_SYMBOLS = 6


def wordless(dataset: VoiceDataset) -> list[Finding]:
    hits = [Hit(clip, clip.text.strip()[:20]) for clip in dataset.clips if not letters(clip.text)]
    advice = "a transcript needs letters; write what is said, or remove the line"
    one, many = "has a transcript without a word", "have transcripts without a word"
    return grouped(dataset, "wordless", Severity.ERROR, hits, one, many, advice)


def symbols(dataset: VoiceDataset) -> list[Finding]:
    """Digits and signs that can be read in several ways; the recording holds only one."""
    hits = []
    for clip in dataset.clips:
        found = expanded_by_reader(clip.text)
        if found and letters(clip.text):
            hits.append(Hit(clip, " ".join(found[:SHOWN_SYMBOLS])))
    advice = "write them as they are spoken (“$5” as “five dollars”), or the model learns to guess"
    one, many = "holds digits, symbols or an address", "hold digits, symbols or addresses"
    return grouped(dataset, "symbols", Severity.WARNING, hits, one, many, advice)


def expanded_by_reader(text: str) -> list[str]:
    """Words of a text that a reader must expand: those with a digit or a symbol, and addresses of the web."""
    return [word.strip(".,;:!?\"'()“”„«»") for word in text.split() if _must_be_expanded(word)]


def duplicate_text(dataset: VoiceDataset) -> list[Finding]:
    first: dict[str, str] = {}
    hits = []
    for clip in dataset.clips:
        key = same_text(clip.text)
        if key in first:
            hits.append(Hit(clip, f"as {first[key]}"))
        elif key:
            first[key] = clip.audio.name
    severity = Severity.WARNING if len(hits) > FEW_REPEATED * len(dataset.clips) else Severity.NOTE
    advice = (
        "clips of one text are trained on together or held out together. Different sentences teach more than one "
        "sentence said twice"
    )
    one, many = "says what another clip says already", "say what another clip says already"
    return grouped(dataset, "duplicate-text", severity, hits, one, many, advice)


def language(dataset: VoiceDataset) -> list[Finding]:
    """Clips whose source names another language than most."""
    named = Counter(clip.language.casefold() for clip in dataset.clips if clip.language)
    if len(named) < 2:
        return []
    most = named.most_common(1)[0][0]
    hits = [Hit(clip, clip.language) for clip in dataset.clips if clip.language and clip.language.casefold() != most]
    advice = (
        f"most are {most}, and a search trains and probes in one language; remove them, or correct what the source says"
    )
    one, many = "is in another language", "are in other languages"
    return grouped(dataset, "language", Severity.WARNING, hits, one, many, advice)


CHECKS = (wordless, symbols, duplicate_text, language)


def _must_be_expanded(word: str) -> bool:
    lowered = word.casefold()
    return "www." in lowered or "://" in lowered or any(map(_is_expanded, word))


def _is_expanded(character: str) -> bool:
    if character in UNEXPANDED:
        return False
    return character in EXPANDED_PUNCTUATION or unicodedata.category(character) in EXPANDED_CATEGORIES
