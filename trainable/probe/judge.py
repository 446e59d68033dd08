"""From the flags of lines to the verdict on a probe. Pure: nothing here listens or speaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from spaces.verdict import Flag, SpokenLine, Verdict
from trainable.probe.flags import SHORT_LETTERS
from trainable.probe.likeness import HeardVoice
from trainable.probe.tempo import letters

MEDIAN_TEMPO = (0.85, 1.18)
"""The median over at least four lines. On made corruptions it caught 1.3× speech in 99 % at 0.4 % false alarms."""

SCREEN_LINES, SCREEN_FAILURES = 4, 2
"""Two failures in the first four lines reject at once; else three in twenty. A trial that fails 3 % of its lines is
rejected in 2.4 % of probes, one that fails 30 % in 97 %."""

FAILED_SHARE = 0.15


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


def _median_tempo(lines: Sequence[SpokenLine]) -> float | None:
    """Spoken over expected seconds, over the lines long enough to tell; None with fewer than four."""
    ratios = [line.seconds / line.expected_seconds for line in lines if letters(line.text) >= SHORT_LETTERS]
    return median(ratios) if len(ratios) >= 4 else None
