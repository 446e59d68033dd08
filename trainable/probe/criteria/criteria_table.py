"""The table of criteria: every flag with its advice, and every measure of a line with its healthy range.

Flags, explanations, fingerprint, listening page and `python -m trainable.probe --criteria` read it. The thresholds
themselves stand beside their measures, each with its source.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from trainable.probe.criteria.criterion import Criterion, HealthyRange, LineMeasures, at_least, at_most
from trainable.probe.measures.level import MAX_CLIPPED_SHARE, MIN_DBFS, MIN_SPEECH_SHARE, clipped_share, speech_share
from trainable.probe.measures.missing_words import MIN_OMITTED_WORDS, omitted_share, omitted_threshold
from trainable.probe.measures.noise import flatness, noise_threshold
from trainable.probe.measures.pauses import MAX_TAIL, inner_pause_threshold, measure_pauses
from trainable.probe.measures.prosody import energy_range_db, flat_threshold, pitch_range_semitones
from trainable.probe.measures.repeated_words import (
    MAX_INSERTED_SHARE,
    MIN_SURPLUS_WORDS,
    MIN_TRAILING_WORDS,
    has_doubled_word,
    has_repetition,
    inserted_share,
    repeated_words,
    surplus_words,
    trailing_words,
)
from trainable.probe.measures.sound_loops import MAX_REPEATED_SHARE, repeated_share
from trainable.probe.measures.stutter import MAX_STUTTER, stutter
from trainable.speech.tempo import LINE_TEMPO, MAX_SHORT_SECONDS, MIN_SHORT_TEMPO, SHORT_LETTERS, letters, tempo_bounds
from trainable.speech.text.error_rate import MIN_JUDGED_LETTERS, character_error, normalise

MAX_CHARACTER_ERROR, CHARACTER_ERROR_MARGIN = 0.35, 0.20
"""A line with a higher character error is garbled. The threshold rises to 0.20 above the 95th percentile of the voice's
own clips."""


class Flag(StrEnum):
    """A fault of one spoken line, or of the voice over several lines; its value goes into ledgers."""

    advice: str
    """What to change when trials are rejected for it."""
    rejects: bool
    """Whether a line with this flag fails."""

    def __new__(cls, value: str, advice: str, rejects: bool = True) -> Flag:
        flag = str.__new__(cls, value)
        flag._value_, flag.advice, flag.rejects = value, advice, rejects
        return flag

    NO_EOS = (
        "no_eos",
        "the voice does not stop: add short utterances to the clips, search the aligned objective, or lower "
        "the learning rate",
    )
    SILENT = "silent", "the voice falls silent: check the clips for long silences, or lower the learning rate"
    CLIPPED = "clipped", "the voice is clipped: check the clips for clipping"
    NOISY = "noisy", "the voice is noisy: check the clips for noise, or lower the learning rate"
    LOOPED = "looped", "the voice repeats itself: lower the learning rate, or raise the lower end of the band"
    TEMPO = "tempo", "the voice is too slow or pauses too long: check that the transcripts match the clips"
    """Too fast, too slow, or with too long a pause."""
    GARBLED = (
        "garbled",
        "the words are not understood: lower epochs or the learning rate, or raise the lower end of the band",
    )
    VOICE_DRIFT = (
        "voice_drift",
        "it is not the right voice: raise epochs or the learning rate if training was short; check the reference",
    )
    """No longer the voice. Judged over several lines together, because speaker similarity needs seconds of speech."""
    FLAT = "flat", "the voice is monotonous: add livelier clips, or raise the upper end of epochs", False
    """The pitch moves far less than in the voice's own clips."""


CRITERIA = (
    Criterion(
        "ended",
        Flag.NO_EOS,
        "1 where the end of speech was sampled, 0 where the line was cut off at its frame cap",
        lambda clip: None if clip.eos is None else float(clip.eos),
        lambda own, line: at_least(1),
        applies=lambda line: line.values.get("ended") is not None,
    ),
    Criterion(
        "speech_share",
        Flag.SILENT,
        f"share of 20 ms windows above {MIN_DBFS:g} dBFS",
        lambda clip: speech_share(clip.wave),
        lambda own, line: at_least(MIN_SPEECH_SHARE),
    ),
    Criterion(
        "words_heard",
        Flag.SILENT,
        "words in the transcript",
        # A clip without a recognisable word may be loud: a recogniser's hallucinations count as an empty transcript.
        lambda clip: len(normalise(clip.heard or "").split()),
        lambda own, line: at_least(1),
        on_words=True,
    ),
    Criterion(
        "clipped_share",
        Flag.CLIPPED,
        "share of samples at full scale",
        lambda clip: clipped_share(clip.wave),
        lambda own, line: at_most(MAX_CLIPPED_SHARE),
    ),
    Criterion(
        "flatness_db",
        Flag.NOISY,
        "spectral flatness of the vowels, dB: higher is noisier",
        lambda clip: flatness(clip.wave),
        lambda own, line: at_most(noise_threshold(own)),
        applies=lambda line: has_speech(line),
        from_voice=True,
    ),
    Criterion(
        "repeated_share",
        Flag.LOOPED,
        "share of the speech that occurs again elsewhere in the clip",
        lambda clip: repeated_share(clip.wave),
        lambda own, line: at_most(MAX_REPEATED_SHARE),
        applies=lambda line: not has_repetition(line.text),
    ),
    Criterion(
        "stutter",
        Flag.LOOPED,
        "similarity of a fragment of speech to its own returns, a cosine",
        lambda clip: stutter(clip.wave),
        lambda own, line: at_most(MAX_STUTTER),
        applies=lambda line: not has_doubled_word(line.text),
    ),
    Criterion(
        "repeated_phrases",
        Flag.LOOPED,
        "phrases that the transcript repeats and the text does not",
        lambda clip: len(repeated_words(clip.text, clip.heard or "")),
        lambda own, line: at_most(0),
        on_words=True,
    ),
    Criterion(
        "inserted_share",
        Flag.LOOPED,
        "inserted words over the words of the text",
        lambda clip: inserted_share(clip.text, clip.heard or ""),
        lambda own, line: at_most(MAX_INSERTED_SHARE),
        on_words=True,
    ),
    Criterion(
        "words_after_the_end",
        Flag.LOOPED,
        "words transcribed after the last one of the text",
        lambda clip: trailing_words(clip.text, clip.heard or ""),
        lambda own, line: at_most(MIN_TRAILING_WORDS - 1),
        on_words=True,
    ),
    Criterion(
        "tempo",
        Flag.TEMPO,
        "length over the expected length",
        lambda clip: clip.seconds / clip.expected_seconds if letters(clip.text) >= SHORT_LETTERS else None,
        lambda own, line: HealthyRange(least=tempo_bounds(own)[0], most=tempo_bounds(own)[1]),
        applies=lambda line: letters(line.text) >= SHORT_LETTERS,
        on_pace=True,
        from_voice=True,
    ),
    Criterion(
        "seconds",
        Flag.TEMPO,
        f"length of a text below {SHORT_LETTERS} letters: {MIN_SHORT_TEMPO:g} of the expected length at least, and "
        f"{MAX_SHORT_SECONDS:g} s or {LINE_TEMPO[1]:g} of it at most",
        lambda clip: clip.seconds if letters(clip.text) < SHORT_LETTERS else None,
        lambda own, line: HealthyRange(
            least=MIN_SHORT_TEMPO * line.expected_seconds,
            most=max(MAX_SHORT_SECONDS, LINE_TEMPO[1] * line.expected_seconds),
        ),
        applies=lambda line: letters(line.text) < SHORT_LETTERS,
        on_pace=True,
    ),
    Criterion(
        "inner_pause_seconds",
        Flag.TEMPO,
        "longest pause between two words, seconds",
        lambda clip: measure_pauses(clip.wave).longest_inner,
        lambda own, line: at_most(inner_pause_threshold(own)),
        applies=lambda line: has_speech(line),
        from_voice=True,
    ),
    Criterion(
        "tail_seconds",
        Flag.TEMPO,
        "time without speech after the last word, seconds",
        lambda clip: measure_pauses(clip.wave).tail,
        lambda own, line: at_most(MAX_TAIL),
        applies=lambda line: has_speech(line),
    ),
    Criterion(
        "omitted_share",
        Flag.GARBLED,
        f"share of the text's words that are missing in one place, {MIN_OMITTED_WORDS} at least",
        lambda clip: omitted_share(clip.text, clip.heard or ""),
        lambda own, line: at_most(omitted_threshold(own)),
        on_words=True,
        from_voice=True,
    ),
    Criterion(
        "character_error",
        Flag.GARBLED,
        "character error rate of the transcript",
        lambda clip: character_error(clip.text, clip.heard or "", clip.language),
        lambda own, line: at_most(character_error_threshold(own)),
        on_words=True,
        from_voice=True,
    ),
    Criterion(
        "surplus_words",
        Flag.GARBLED,
        f"words transcribed beyond those of the text, where it has fewer than {MIN_JUDGED_LETTERS} letters",
        lambda clip: surplus_words(clip.text, clip.heard or ""),
        lambda own, line: at_most(MIN_SURPLUS_WORDS - 1),
        applies=lambda line: letters(line.text) < MIN_JUDGED_LETTERS,
        on_words=True,
        on_few_letters=True,
    ),
    Criterion(
        "pitch_range_semitones",
        Flag.FLAT,
        "90th minus 10th percentile of the pitch, semitones; it rejects nothing",
        lambda clip: pitch_range_semitones(clip.wave),
        # A flat pitch range found every monotone clip, a flat level range only a fifth of compressed clips.
        lambda own, line: at_least(flat_threshold(own)),
        applies=lambda line: letters(line.text) >= SHORT_LETTERS,
        from_voice=True,
    ),
    Criterion(
        "energy_range_db",
        None,
        "90th minus 10th percentile of the level while speaking, dB; a part of the score",
        lambda clip: energy_range_db(clip.wave),
        from_voice=True,
    ),
    Criterion(
        "dnsmos",
        None,
        "predicted speech quality, DNSMOS overall, 1 to 5; a part of the score, for clips of one voice only",
        # `dnsmos.overall_qualities` joins neighbouring clips.
        None,
        from_voice=True,
    ),
)


def has_speech(line: LineMeasures) -> bool:
    """Whether enough of the line is loud; silence has neither noise nor pauses."""
    share = line.values.get("speech_share")
    return share is None or share >= MIN_SPEECH_SHARE


def character_error_threshold(own: tuple[float, ...] | list[float]) -> float:
    """The character error above which a line is garbled, given those of the voice's own clips."""
    return max(MAX_CHARACTER_ERROR, (float(np.percentile(own, 95)) if own else 0.0) + CHARACTER_ERROR_MARGIN)
