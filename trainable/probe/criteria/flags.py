"""Raises the flags of one line from its measures. Pure: no audio, no model."""

from spaces.records.verdict import Flag
from trainable.probe.measures.level import MAX_CLIPPED_SHARE, MIN_SPEECH_SHARE
from trainable.probe.measures.line import LineMeasures, VoiceMeasures
from trainable.probe.measures.missing_words import omits_words
from trainable.probe.measures.noise import is_noisy
from trainable.probe.measures.pauses import pauses_too_long
from trainable.probe.measures.prosody import is_flat
from trainable.probe.measures.repeated_words import (
    MAX_INSERTED_SHARE,
    MIN_TRAILING_WORDS,
    has_doubled_word,
    has_repetition,
    inserted_share,
    repeated_words,
    trailing_words,
)
from trainable.probe.measures.sound_loops import MAX_REPEATED_SHARE
from trainable.probe.measures.stutter import MAX_STUTTER
from trainable.speech.tempo import SHORT_LETTERS, is_off_tempo, letters
from trainable.speech.text.error_rate import MIN_JUDGED_LETTERS

MAX_CHARACTER_ERROR, CHARACTER_ERROR_MARGIN = 0.35, 0.20
"""A line with a higher character error is garbled. The threshold rises to 0.20 above the 95th percentile of the voice's
own clips."""


def flags_of(line: LineMeasures, own: VoiceMeasures) -> tuple[Flag, ...]:
    """All flags of one line. A flag that cannot be judged is not raised; the verdict lists it as unknown."""
    judged = letters(line.text) >= MIN_JUDGED_LETTERS
    silent = line.speech_share < MIN_SPEECH_SHARE
    raised = {
        Flag.NO_EOS: not line.eos,
        # A clip without a recognisable word may be loud: a recogniser's hallucinations count as an empty transcript.
        Flag.SILENT: silent or (judged and line.heard == ""),
        Flag.CLIPPED: line.clipped_share > MAX_CLIPPED_SHARE,
        Flag.NOISY: not silent and is_noisy(line.flatness, own.flatness),
        Flag.LOOPED: _is_looped(line, judged),
        Flag.TEMPO: is_off_tempo(line.text, line.seconds, line.expected_seconds, own.tempos)
        or (not silent and pauses_too_long(line.pauses, own.inner_pauses)),
        Flag.GARBLED: judged and _is_garbled(line, own),
        # A flat pitch range found every monotone clip, a flat level range only a fifth of compressed clips.
        Flag.FLAT: letters(line.text) >= SHORT_LETTERS and is_flat(line.pitch_range, own.pitch_ranges),
    }
    return tuple(flag for flag, is_raised in raised.items() if is_raised)


def _is_looped(line: LineMeasures, judged: bool) -> bool:
    """By its sound, unless the text itself has a repetition, or by its words."""
    by_sound = (line.repeated_share > MAX_REPEATED_SHARE and not has_repetition(line.text)) or (
        line.stutter > MAX_STUTTER and not has_doubled_word(line.text)
    )
    return by_sound or (judged and line.heard is not None and _adds_words(line.text, line.heard))


def _adds_words(text: str, heard: str) -> bool:
    """Whether words are repeated, or babble is inserted or follows the text."""
    return (
        bool(repeated_words(text, heard))
        or inserted_share(text, heard) > MAX_INSERTED_SHARE
        or trailing_words(text, heard) >= MIN_TRAILING_WORDS
    )


def _is_garbled(line: LineMeasures, own: VoiceMeasures) -> bool:
    """By the character error of the whole line, or by a missing stretch of the text."""
    threshold = character_error_threshold(own.character_error_p95)
    by_error = line.character_error is not None and line.character_error > threshold
    return by_error or (line.heard is not None and omits_words(line.text, line.heard, own.omitted_shares))


def character_error_threshold(own_p95: float | None) -> float:
    """The character error above which a line is garbled, given the 95th percentile of the voice's own clips."""
    return max(MAX_CHARACTER_ERROR, (own_p95 or 0.0) + CHARACTER_ERROR_MARGIN)
