"""From the flags of lines to the verdict on a probe. Pure: nothing here listens or speaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from spaces.records.interval import wilson
from spaces.records.verdict import Flag, SpokenLine, Verdict
from trainable.probe.measures.similarity import SpeakerMatch
from trainable.speech.tempo import SHORT_LETTERS, letters

MEDIAN_TEMPO = (0.85, 1.18)
"""The median over at least four lines. On made corruptions it caught 1.3× speech in 99 % at 0.4 % false alarms."""

SCREEN_LINES, SCREEN_FAILURES = 4, 2
"""Two failures in the first four lines reject at once; else three in twenty. A trial that fails 3 % of its lines is
rejected in 2.4 % of probes, one that fails 30 % in 97 %."""

FAILED_SHARE = 0.15


SURE_RATE = 0.05
"""A finalist is turned down when it surely, with 95 % confidence, fails more than one line in twenty: from 7 of 60."""

UNLIKELY_ENDS = (0.01, 0.1)
"""A voice whose probability of the end, where held-out clips end, is below 1 % and below a tenth of the base model's is
rejected unheard but for one line. Healthy demo voices have 99.9 %; the numbers are a start, seen on no large model."""

SURPRISING = 0.05
"""Missed ends as many as these or more would come from the base model's rate in fewer than 5 % of probes."""


@dataclass(frozen=True)
class BaseResult:
    """How the base model's own clone does, on the same lines."""

    probability: float | None
    """See `Verdict.end_probability`."""
    missed: int
    """Ends that did not come."""
    failed: int
    """Lines that failed, those among them."""
    lines: int
    """That count."""

    @property
    def failed_share(self) -> float:
        return self.failed / max(1, self.lines)


def fails_screen(lines: Sequence[SpokenLine]) -> bool:
    """Whether the first four lines that count already reject."""
    return sum(line.failed for line in counted(lines)[:SCREEN_LINES]) >= SCREEN_FAILURES


def surely_fails(lines: Sequence[SpokenLine]) -> bool:
    """Whether, with 95 % confidence, more than one line in twenty fails."""
    deciding = counted(lines)
    return wilson(sum(line.failed for line in deciding), len(deciding)).low > SURE_RATE


def fails_end(probability: float | None, base: BaseResult | None) -> bool:
    """Whether speech would hardly ever end, told without speaking. Unknown is no failure."""
    if probability is None or base is None or base.probability is None:
        return False
    least, share = UNLIKELY_ENDS
    return probability < min(least, share * base.probability)


def allowed_failures(planned_lines: int) -> int:
    """Lines of a whole probe that may fail: two in twenty, one in fewer than fourteen."""
    return max(SCREEN_FAILURES, math.ceil(FAILED_SHARE * planned_lines)) - 1


def counted(lines: Sequence[SpokenLine]) -> list[SpokenLine]:
    """Those that decide something."""
    return [line for line in lines if line.decides]


def conclude(
    lines: Sequence[SpokenLine],
    planned_lines: int,
    voice: SpeakerMatch,
    *,
    end_probability: float | None = None,
    base: BaseResult | None = None,
    strength: float = 1.0,
    judge: str = "",
    confirms: bool = False,
) -> Verdict:
    """The verdict on a probe's lines, in the order they were spoken.

    `planned_lines` that count. `base` is None for the base model itself. `confirms` asks whether failures are surely
    too many instead of screening. Raises ValueError when no line counts.
    """
    deciding = counted(lines)
    if not deciding:
        raise ValueError("a verdict needs at least one spoken line, got none")
    failed = sum(line.failed for line in deciding)
    counts = {flag: sum(flag in line.flags for line in deciding) for flag in Flag}
    counts[Flag.VOICE_DRIFT] = voice.strange
    reasons = []
    if fails_end(end_probability, base):
        reasons.append(
            f"it would hardly ever end: where held-out clips do, it gives the end {end_probability:.2g}, "
            f"the base model {base.probability:.2g}"
        )
    if _fails_too_often(deciding, planned_lines, confirms):
        lines_with = {flag: count for flag, count in counts.items() if count and flag is not Flag.VOICE_DRIFT}
        told = ", ".join(f"{flag} in {count}" for flag, count in lines_with.items() if flag.rejects)
        reasons.append(f"{failed} of {len(deciding)} lines failed ({told})")
    ratio = _median_tempo(deciding)
    if ratio is not None and not MEDIAN_TEMPO[0] <= ratio <= MEDIAN_TEMPO[1]:
        how = "rushed" if ratio < 1 else "slow"
        reasons.append(f"{how}: the median line takes {ratio:.2f} of the time it should")
    if voice.has_drifted:
        reasons.append(
            f"another voice: likeness {voice.similarity:.2f}, expected {voice.least:.2f} or more of this voice"
        )
    nobody_listened = any(line.character_error is None for line in deciding)
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
        end_probability=end_probability,
        strength=strength,
        notes=_missed_ends(deciding, base),
        judge=judge,
        score=sum(line.score for line in deciding) / len(deciding),
    )


def _fails_too_often(deciding: Sequence[SpokenLine], planned_lines: int, confirms: bool) -> bool:
    if confirms:
        return surely_fails(deciding)
    return fails_screen(deciding) or sum(line.failed for line in deciding) > allowed_failures(planned_lines)


def _missed_ends(deciding: Sequence[SpokenLine], base: BaseResult | None) -> tuple[str, ...]:
    """What a few missed ends say beside those of the base model, which misses some as well."""
    missed = sum(not line.eos for line in deciding)
    if not missed or base is None:
        return ()
    chance = at_least_by_chance(missed, len(deciding), base.missed, base.lines)
    judged = "more than chance explains" if chance < SURPRISING else "no more than chance explains"
    return (
        f"{missed} of {len(deciding)} lines never ended, of the base model's own clone {base.missed} of {base.lines}: "
        f"{judged} (p = {chance:.2f})",
    )


def at_least_by_chance(count: int, of: int, base: int, base_of: int) -> float:
    """How likely so many or more of all the cases fall to the first group, were both groups alike.

    The one-sided exact test of Fisher (1922).
    """
    all_cases, total = count + base, of + base_of
    ways = math.comb(total, all_cases)
    most = min(of, all_cases)
    return sum(math.comb(of, k) * math.comb(base_of, all_cases - k) for k in range(count, most + 1)) / ways


def _median_tempo(lines: Sequence[SpokenLine]) -> float | None:
    """Spoken over expected seconds, over the lines long enough to tell; None with fewer than four."""
    ratios = [line.seconds / line.expected_seconds for line in lines if letters(line.text) >= SHORT_LETTERS]
    return median(ratios) if len(ratios) >= 4 else None
