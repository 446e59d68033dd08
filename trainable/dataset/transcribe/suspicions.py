"""Reasons to doubt a recogniser's transcript, so that a person listens to it. Pure functions of transcripts."""

import math
import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from trainable.dataset.checks.recordings import LONG_SECONDS, MIN_TEMPO_CLIPS, tempo_factor
from trainable.dataset.transcribe.transcript import Transcript
from trainable.speech.tempo import letters
from trainable.speech.text.error_rate import normalise
from trainable.speech.text.hallucinations import is_hallucinated, is_repetitive, is_subtitle_credits

MIN_CONFIDENCE = math.exp(-0.5)
"""A mean log-probability of -0.5; Whisper's own decoder rejects a segment at -1 (Radford et al., 2022)."""
REPEATED = re.compile(r"(.{4,60}?)\1{2,}")
"""The same four or more characters three times in a row."""
SENTENCE_END = re.compile(r"[.!?…。！？؟।]['\"»”’)\]]*$")
CUT_SECONDS = 29.0
"""Seconds. Programs often cut clips at 29 to 30 s, in the middle of a sentence."""


@dataclass(frozen=True)
class TypicalSpeech:
    """What most transcripts of a folder have in common."""

    characters_per_second: float | None
    """Median; None for fewer than 5 clips."""
    language: str | None
    """The language detected in most clips."""
    punctuated: bool
    """Whether most end with sentence punctuation."""


def typical_speech(transcripts: Sequence[Transcript]) -> TypicalSpeech:
    spoken = [each for each in transcripts if letters(each.text)]
    tempos = [each.characters_per_second for each in spoken]
    languages = Counter(each.heard_language for each in spoken if each.heard_language)
    ended = sum(bool(SENTENCE_END.search(each.text)) for each in spoken)
    return TypicalSpeech(
        characters_per_second=statistics.median(tempos) if len(tempos) >= MIN_TEMPO_CLIPS else None,
        language=languages.most_common(1)[0][0] if languages else None,
        punctuated=ended * 2 > len(spoken),
    )


def suspicions(transcript: Transcript, typical: TypicalSpeech) -> list[str]:
    """Every reason to doubt the transcript, as a message; empty where there is none."""
    if transcript.problem:
        return [transcript.problem]
    if not transcript.speech_seconds:
        return ["no speech"]
    if not letters(transcript.text):
        return ["speech, but no word was recognised"]
    found = [
        _low_confidence(transcript),
        _hallucination(transcript.text),
        _repetition(transcript.text),
        _unusual_tempo(transcript, typical.characters_per_second),
        _other_language(transcript, typical.language),
        _unfinished(transcript, typical.punctuated),
    ]
    return [reason for reason in found if reason]


def repeated_phrase(text: str) -> str | None:
    """A phrase that is said three times or more in a row, in lower case; None where there is none."""
    found = REPEATED.search(normalise(text) + " ")
    return found[1].strip() if found else None


def _low_confidence(transcript: Transcript) -> str:
    confidence = transcript.confidence
    return f"low confidence ({confidence:.2f})" if confidence is not None and confidence < MIN_CONFIDENCE else ""


def _hallucination(text: str) -> str:
    if is_subtitle_credits(text):
        return "reads like the credits of subtitles, which Whisper makes up"
    return "a phrase that Whisper makes up where there is little to hear" if is_hallucinated(text) else ""


def _repetition(text: str) -> str:
    phrase = repeated_phrase(text)
    if phrase:
        return f'repeats "{phrase}"'
    return "repeats itself" if is_repetitive(text) else ""


def _unusual_tempo(transcript: Transcript, median: float | None) -> str:
    tempo = transcript.characters_per_second
    factor = tempo_factor(transcript.text)
    if not median or 1 / factor <= tempo / median <= factor:
        return ""
    fault = "words too many" if tempo > median else "words missing"
    return f"{tempo:.1f} characters per second of speech, the median is {median:.1f}: perhaps {fault}"


def _other_language(transcript: Transcript, most: str | None) -> str:
    detected = transcript.heard_language
    return f"detected as {detected}, most clips as {most}: give --language" if detected and detected != most else ""


def _unfinished(transcript: Transcript, punctuated: bool) -> str:
    if transcript.cut_off:
        return "the recogniser reached its token limit: the end is missing"
    if transcript.seconds > LONG_SECONDS:
        return f"{transcript.seconds:.0f} s, longer than {LONG_SECONDS:.0f}: cut it with `split`"
    if punctuated and transcript.seconds >= CUT_SECONDS and not SENTENCE_END.search(transcript.text):
        return f"ends in mid-sentence at {transcript.seconds:.0f} s: perhaps cut off there"
    return ""
