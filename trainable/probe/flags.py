"""From what was measured of one line to its flags. Pure: nothing here listens or speaks."""

from __future__ import annotations

from spaces.verdict import Flag
from trainable.probe.loops import LOOPED
from trainable.probe.measures import Measured, OwnMeasures
from trainable.probe.noise import is_noisy
from trainable.probe.pauses import pauses_too_long
from trainable.probe.prosody import is_flat
from trainable.probe.repetitions import INSERTED, inserted_share, repeated_words, repeats_itself
from trainable.probe.signal import SILENCE_DBFS
from trainable.probe.tempo import letters
from trainable.probe.words import JUDGED_LETTERS

CLIPPED_SHARE = 0.001
"""A clip with more samples than this at full scale is clipped."""

SPEECH_SHARE = 0.25
"""A clip with speech in fewer windows than this is silent."""

LINE_TEMPO = (0.55, 1.8)
"""A line's length over the expected one. Clean clips spread by 10 % per clip, so this is wide; the median is tight."""

SHORT_LETTERS = 25
"""Shorter lines vary too much in length for a ratio; they may take up to 3 s."""

SHORT_SECONDS = 3.0

GARBLED = 0.35
"""Character error from which a line counts as garbled, or 0.20 above the 95th percentile of the ground truth."""

GARBLED_MARGIN = 0.20


def flags_of(line: Measured, own: OwnMeasures) -> tuple[Flag, ...]:
    """Every flag one line deserves. A flag that cannot be judged is not raised; the verdict lists it as unknown."""
    judged = letters(line.text) >= JUDGED_LETTERS
    silent = not line.rms_dbfs >= SILENCE_DBFS or line.speech_share < SPEECH_SHARE
    raised = {
        Flag.NO_EOS: not line.eos,
        Flag.SILENT: silent,
        Flag.CLIPPED: line.clipped_share > CLIPPED_SHARE,
        Flag.NOISY: not silent and is_noisy(line.flatness, own.flatness),
        Flag.LOOPED: _is_looped(line, judged),
        Flag.TEMPO: _is_off_tempo(line.text, line.seconds, line.expected_seconds)
        or (not silent and pauses_too_long(line.pauses, own.inner_pauses)),
        Flag.GARBLED: line.character_error is not None
        and judged
        and line.character_error > garbled_above(own.character_error_p95),
        # Of energy a flat range told a fifth of compressed clips only, of pitch it told every monotone one.
        Flag.FLAT: letters(line.text) >= SHORT_LETTERS and is_flat(line.pitch_range, own.pitch_ranges),
    }
    return tuple(flag for flag, is_raised in raised.items() if is_raised)


def _is_looped(line: Measured, judged: bool) -> bool:
    """By its sound, where the text itself repeats nothing, or by its words."""
    by_sound = line.repeated_share > LOOPED and not repeats_itself(line.text)
    by_words = (
        judged
        and line.heard is not None
        and (bool(repeated_words(line.text, line.heard)) or inserted_share(line.text, line.heard) > INSERTED)
    )
    return by_sound or by_words


def garbled_above(ground_truth_p95: float | None) -> float:
    """The character error above which a line is garbled, given the ground truth's 95th percentile."""
    return max(GARBLED, (ground_truth_p95 or 0.0) + GARBLED_MARGIN)


def _is_off_tempo(text: str, seconds: float, expected_seconds: float) -> bool:
    low, high = LINE_TEMPO
    if letters(text) < SHORT_LETTERS:
        return seconds > max(SHORT_SECONDS, high * expected_seconds)
    return not low <= seconds / expected_seconds <= high
