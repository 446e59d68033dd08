"""Why a person should listen before a recogniser's transcript is believed. Pure functions of transcripts."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from trainable.dataset.checks.recordings import (
    LEAST_TEMPO_CLIPS,
    LONG_SECONDS,
    SENTENCE_LETTERS,
    SHORT_TEMPO_FACTOR,
    TEMPO_FACTOR,
)
from trainable.dataset.transcribe.transcript import Transcript
from trainable.speech.tempo import letters
from trainable.speech.text.error_rate import words
from trainable.speech.text.hallucinations import is_credits, is_invented

LEAST_CONFIDENCE = math.exp(-0.5)
"""Half of the mean log-probability, -1, at which Whisper's own decoder gives a segment up (Radford et al., 2022)."""
MOST_COMPRESSED = 2.4
"""How much zlib may shrink a transcript: the same decoder's bound for text that repeats itself."""
REPEATED = re.compile(r"(.{4,60}?)\1{2,}")
"""The same four or more characters three times in a row."""
SENTENCE_END = re.compile(r"[.!?…。！？؟।]['\"»”’)\]]*$")
WINDOW = 29.0
"""Seconds. A clip of 29 to 30 s was often cut there by a program, in the middle of a sentence."""


@dataclass(frozen=True)
class TypicalSpeech:
    """What is usual among a folder's transcripts."""

    characters_per_second: float | None
    """Median; None of too few."""
    language: str | None
    """The one that most clips were taken for."""
    punctuated: bool
    """Whether most end as a sentence does."""


def usual(transcripts: Sequence[Transcript]) -> TypicalSpeech:
    spoken = [each for each in transcripts if letters(each.text)]
    tempos = [each.characters_per_second for each in spoken]
    languages = Counter(each.heard_language for each in spoken if each.heard_language)
    ended = sum(bool(SENTENCE_END.search(each.text)) for each in spoken)
    return TypicalSpeech(
        characters_per_second=median(tempos) if len(tempos) >= LEAST_TEMPO_CLIPS else None,
        language=languages.most_common(1)[0][0] if languages else None,
        punctuated=ended * 2 > len(spoken),
    )


def doubts(transcript: Transcript, among: TypicalSpeech) -> list[str]:
    """Every reason to doubt it, in words; empty where there is none."""
    if transcript.problem:
        return [transcript.problem]
    if not transcript.speech_seconds:
        return ["nobody speaks in it"]
    if not letters(transcript.text):
        return ["speech, but no word was understood"]
    found = [
        _unsure(transcript),
        _invented(transcript.text),
        _repeated(transcript.text),
        _odd_tempo(transcript, among.characters_per_second),
        _other_language(transcript, among.language),
        _unfinished(transcript, among.punctuated),
    ]
    return [reason for reason in found if reason]


def repeated_phrase(text: str) -> str | None:
    """What is said three times or more in a row, lower case; None where nothing is."""
    found = REPEATED.search(words(text) + " ")
    return found[1].strip() if found else None


def _unsure(transcript: Transcript) -> str:
    sure = transcript.confidence
    return f"low confidence ({sure:.2f})" if sure is not None and sure < LEAST_CONFIDENCE else ""


def _invented(text: str) -> str:
    if is_credits(text):
        return "reads like the credits of subtitles, which Whisper makes up"
    return "a phrase that Whisper makes up where there is little to hear" if is_invented(text) else ""


def _repeated(text: str) -> str:
    phrase = repeated_phrase(text)
    if phrase:
        return f'repeats "{phrase}"'
    data = text.encode()
    return "repeats itself" if len(data) / len(zlib.compress(data)) > MOST_COMPRESSED else ""


def _odd_tempo(transcript: Transcript, middle: float | None) -> str:
    tempo = transcript.characters_per_second
    factor = TEMPO_FACTOR if letters(transcript.text) >= SENTENCE_LETTERS else SHORT_TEMPO_FACTOR
    if not middle or 1 / factor <= tempo / middle <= factor:
        return ""
    word = "words too many" if tempo > middle else "words missing"
    return f"{tempo:.1f} characters per second of speech, the median is {middle:.1f}: perhaps {word}"


def _other_language(transcript: Transcript, most: str | None) -> str:
    heard = transcript.heard_language
    return f"taken for {heard}, most clips for {most}: give --language" if heard and heard != most else ""


def _unfinished(transcript: Transcript, punctuated: bool) -> str:
    if transcript.cut_off:
        return "the recogniser was stopped in the middle"
    if transcript.seconds > LONG_SECONDS:
        return f"{transcript.seconds:.0f} s, longer than {LONG_SECONDS:.0f}: cut it with `split`"
    if punctuated and transcript.seconds >= WINDOW and not SENTENCE_END.search(transcript.text):
        return f"ends in mid-sentence at {transcript.seconds:.0f} s: perhaps cut there"
    return ""
