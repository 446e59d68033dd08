"""From what was measured of one line to its flags. Pure: nothing here listens or speaks."""

from __future__ import annotations

from spaces.records.verdict import Flag
from trainable.probe.measures.level import SILENCE_DBFS
from trainable.probe.measures.line import LineMeasures, VoiceMeasures
from trainable.probe.measures.missing_words import leaves_out
from trainable.probe.measures.noise import is_noisy
from trainable.probe.measures.pauses import pauses_too_long
from trainable.probe.measures.prosody import is_flat
from trainable.probe.measures.repeated_words import (
    BABBLED_ON,
    INSERTED,
    doubles_a_word,
    inserted_share,
    repeated_words,
    repeats_itself,
    words_after_the_end,
)
from trainable.probe.measures.sound_loops import LOOPED
from trainable.probe.measures.stutter import STUTTERED
from trainable.speech.tempo import SHORT_LETTERS, is_off_tempo, letters
from trainable.speech.text.error_rate import JUDGED_LETTERS

CLIPPED_SHARE = 0.001
"""A clip with more samples than this at full scale is clipped."""

SPEECH_SHARE = 0.25
"""A clip with speech in fewer windows than this is silent."""

GARBLED = 0.35
"""Character error from which a line counts as garbled, or 0.20 above the 95th percentile of the ground truth."""

GARBLED_MARGIN = 0.20


def flags_of(line: LineMeasures, own: VoiceMeasures) -> tuple[Flag, ...]:
    """Every flag one line deserves. A flag that cannot be judged is not raised; the verdict lists it as unknown."""
    judged = letters(line.text) >= JUDGED_LETTERS
    silent = not line.rms_dbfs >= SILENCE_DBFS or line.speech_share < SPEECH_SHARE
    raised = {
        Flag.NO_EOS: not line.eos,
        # What nobody understands a word of may be loud: a recogniser's inventions are heard as nothing.
        Flag.SILENT: silent or (judged and line.heard == ""),
        Flag.CLIPPED: line.clipped_share > CLIPPED_SHARE,
        Flag.NOISY: not silent and is_noisy(line.flatness, own.flatness),
        Flag.LOOPED: _is_looped(line, judged),
        Flag.TEMPO: is_off_tempo(line.text, line.seconds, line.expected_seconds, own.tempos)
        or (not silent and pauses_too_long(line.pauses, own.inner_pauses)),
        Flag.GARBLED: judged and _is_garbled(line, own),
        # Of energy a flat range told a fifth of compressed clips only, of pitch it told every monotone one.
        Flag.FLAT: letters(line.text) >= SHORT_LETTERS and is_flat(line.pitch_range, own.pitch_ranges),
    }
    return tuple(flag for flag, is_raised in raised.items() if is_raised)


def _is_looped(line: LineMeasures, judged: bool) -> bool:
    """By its sound, where the text itself repeats nothing, or by its words."""
    by_sound = (line.repeated_share > LOOPED and not repeats_itself(line.text)) or (
        line.stutter > STUTTERED and not doubles_a_word(line.text)
    )
    return by_sound or (judged and line.heard is not None and _adds_words(line.text, line.heard))


def _adds_words(text: str, heard: str) -> bool:
    """Words that come again, and babble among the words or after them."""
    return (
        bool(repeated_words(text, heard))
        or inserted_share(text, heard) > INSERTED
        or words_after_the_end(text, heard) >= BABBLED_ON
    )


def _is_garbled(line: LineMeasures, own: VoiceMeasures) -> bool:
    """By all of its characters, or by a stretch of the text that is missing."""
    by_error = line.character_error is not None and line.character_error > garbled_above(own.character_error_p95)
    return by_error or (line.heard is not None and leaves_out(line.text, line.heard, own.omitted_shares))


def garbled_above(ground_truth_p95: float | None) -> float:
    """The character error above which a line is garbled, given the ground truth's 95th percentile."""
    return max(GARBLED, (ground_truth_p95 or 0.0) + GARBLED_MARGIN)
