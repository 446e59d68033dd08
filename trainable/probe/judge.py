"""From measures to flags, and from flags to a verdict. Pure: nothing here listens or speaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from spaces.verdict import Flag, SpokenLine, Verdict
from trainable.probe.likeness import HeardVoice
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

MEDIAN_TEMPO = (0.85, 1.18)
"""The median over at least four lines. On made corruptions it caught 1.3× speech in 99 % at 0.4 % false alarms."""

SHORT_LETTERS = 25
"""Shorter lines vary too much in length for a ratio; they may take up to 3 s."""

SHORT_SECONDS = 3.0

GARBLED = 0.35
"""Character error from which a line counts as garbled, or 0.20 above the 95th percentile of the ground truth."""

GARBLED_MARGIN = 0.20

SCREEN_LINES, SCREEN_FAILURES = 4, 2
"""Two failures in the first four lines reject at once; else three in twenty. A trial that fails 3 % of its lines is
rejected in 2.4 % of probes, one that fails 30 % in 97 %."""

FAILED_SHARE = 0.15

SPECTRAL_SPAN = 10.0
"""dB over which the spectrum's part of a score goes from 1 to 0. Two speakers commonly lie 4–8 dB apart."""


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


def line_score(
    *,
    eos: bool,
    silent: bool,
    seconds: float,
    expected_seconds: float,
    character_error: float | None,
    similarity: float | None,
    similarity_ceiling: float,
    spectral_distance: float | None,
    spectral_floor: float,
    liveliness: float | None,
) -> float:
    """The mean of what is known of words, voice, spectrum, tempo and liveliness, each in [0, 1]; 0 without an end or
    without sound.

    Words: 1 - character error. Voice: cosine over the ground truth's own. Spectrum: 1 at the ground truth's own
    distance, 0 at 10 dB more. Tempo: 1 at the expected length, 0 at half or double. Liveliness: see `liveliness_of`.
    """
    if not eos or silent or seconds <= 0:
        return 0.0
    parts = [max(0.0, 1 - abs(math.log2(seconds / expected_seconds)))]
    if character_error is not None:
        parts.append(max(0.0, 1 - character_error))
    if similarity is not None:
        parts.append(min(1.0, max(0.0, similarity / max(similarity_ceiling, 1e-6))))
    if spectral_distance is not None:
        parts.append(min(1.0, max(0.0, 1 - (spectral_distance - spectral_floor) / SPECTRAL_SPAN)))
    if liveliness is not None:
        parts.append(liveliness)
    return sum(parts) / len(parts)


def liveliness_of(line: Measured, own: OwnMeasures) -> float | None:
    """Ranges of pitch and of energy over the medians of the voice's own clips, each at most 1, their mean; None where
    neither can be told."""
    pairs = ((line.pitch_range, own.pitch_ranges), (line.energy_range, own.energy_ranges))
    parts = [min(1.0, span / max(median(usual), 1e-6)) for span, usual in pairs if span is not None and usual]
    return sum(parts) / len(parts) if parts else None


def fails_screen(lines: Sequence[SpokenLine]) -> bool:
    """Whether the first four lines already reject."""
    return sum(line.failed for line in lines[:SCREEN_LINES]) >= SCREEN_FAILURES


def allowed_failures(planned_lines: int) -> int:
    """Lines of a whole probe that may fail: two in twenty, one in fewer than fourteen."""
    return max(SCREEN_FAILURES, math.ceil(FAILED_SHARE * planned_lines)) - 1


def conclude(lines: Sequence[SpokenLine], planned_lines: int, voice: HeardVoice) -> Verdict:
    """The verdict on a probe's lines, in the order they were spoken. Raises ValueError when there are none."""
    if not lines:
        raise ValueError("a verdict needs at least one spoken line, got none")
    failed = sum(line.failed for line in lines)
    counts = {flag: sum(flag in line.flags for line in lines) for flag in Flag}
    counts[Flag.VOICE_DRIFT] = voice.strange
    reasons = []
    if fails_screen(lines) or failed > allowed_failures(planned_lines):
        lines_with = {flag: count for flag, count in counts.items() if count and flag is not Flag.VOICE_DRIFT}
        told = ", ".join(f"{flag} in {count}" for flag, count in lines_with.items() if flag.rejects)
        reasons.append(f"{failed} of {len(lines)} lines failed ({told})")
    ratio = _median_tempo(lines)
    if ratio is not None and not MEDIAN_TEMPO[0] <= ratio <= MEDIAN_TEMPO[1]:
        how = "rushed" if ratio < 1 else "slow"
        reasons.append(f"{how}: the median line takes {ratio:.2f} of the time it should")
    if voice.has_drifted:
        reasons.append(
            f"another voice: likeness {voice.similarity:.2f}, expected {voice.least:.2f} or more of this voice"
        )
    nobody_listened = any(line.character_error is None for line in lines)
    unknown = (*([Flag.GARBLED] if nobody_listened else ()), *([Flag.VOICE_DRIFT] if voice.is_unknown else ()))
    return Verdict(
        accepted=not reasons,
        reasons=tuple(reasons),
        flags={flag: count for flag, count in counts.items() if count},
        unknown=unknown,
        failed_lines=failed,
        lines=tuple(lines),
        planned_lines=planned_lines,
        voice_similarity=voice.similarity,
        score=sum(line.score for line in lines) / len(lines),
    )


def _is_off_tempo(text: str, seconds: float, expected_seconds: float) -> bool:
    low, high = LINE_TEMPO
    if letters(text) < SHORT_LETTERS:
        return seconds > max(SHORT_SECONDS, high * expected_seconds)
    return not low <= seconds / expected_seconds <= high


def _median_tempo(lines: Sequence[SpokenLine]) -> float | None:
    """Spoken over expected seconds, over the lines long enough to tell; None with fewer than four."""
    ratios = [line.seconds / line.expected_seconds for line in lines if letters(line.text) >= SHORT_LETTERS]
    return median(ratios) if len(ratios) >= 4 else None
