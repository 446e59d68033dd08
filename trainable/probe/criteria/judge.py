"""Decides on a probe: spoken lines with their flags in, a `Verdict` out. Pure: no audio, no model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from spaces.records.interval import wilson
from spaces.records.verdict import SpokenLine, Verdict
from trainable.probe.criteria.criteria_table import CRITERIA, Flag
from trainable.probe.measures.repeated_words import has_repetition
from trainable.probe.measures.similarity import SpeakerMatch
from trainable.speech.tempo import SHORT_LETTERS, letters

MEDIAN_TEMPO, MIN_TEMPO_LINES = (0.85, 1.18), 4
"""Bounds on the median of length over expected length, over at least four lines. On synthetic corruptions they caught
1.3× speech in 99 % at 0.4 % false alarms."""

SCREEN_LINES, SCREEN_FAILURES = 4, 2
"""Two failures in the first four lines reject at once."""

HEALTHY_FAILURE_RATE, MAX_FALSE_REJECTIONS = 0.03, 0.05
"""A trial that fails 3 % of its lines is rejected in at most 5 % of probes: of twenty lines two may fail, which rejects
it in 2.4 % of probes, and one that fails 30 % of its lines in 97 %."""

MAX_FAILURE_RATE = 0.05
"""A confirmation rejects when the failure rate exceeds this with 95 % confidence: from 7 of 60 lines."""

EARLY_STOP_LINES = 20
"""Lines of a confirmation after which models that fail too often stop."""

MIN_END_PROBABILITY, MIN_END_SHARE = 0.01, 0.1
"""A voice whose end-of-speech probability, at the ends of held-out clips, is below 1 % and below a tenth of the base
model's is rejected after one line. Healthy demo voices have 99.9 %; these start values are untested on large models."""

SIGNIFICANCE = 0.05
"""Missed ends are more than chance explains when the base model's rate gives as many in fewer than 5 % of probes."""


@dataclass(frozen=True)
class BaseResult:
    """How the base model's own clone does on the same lines."""

    probability: float | None
    """See `Verdict.end_probability`."""
    missed: int
    """Lines that did not end."""
    failed: int
    """Lines that failed, those that did not end included."""
    lines: int
    """Lines that count."""

    @property
    def failed_share(self) -> float:
        return self.failed / max(1, self.lines)


def fails_screen(lines: Sequence[SpokenLine]) -> bool:
    """Whether the first four lines that count already reject."""
    return sum(line.failed for line in deciding_lines(lines)[:SCREEN_LINES]) >= SCREEN_FAILURES


def exceeds_failure_rate(lines: Sequence[SpokenLine]) -> bool:
    """Whether, with 95 % confidence, more than one line in twenty fails."""
    deciding = deciding_lines(lines)
    return wilson(sum(line.failed for line in deciding), len(deciding)).low > MAX_FAILURE_RATE


def rarely_ends(probability: float | None, base: BaseResult | None) -> bool:
    """Whether the end-of-speech probability is too low, judged without speaking. False where it is unknown."""
    if probability is None or base is None or base.probability is None:
        return False
    return probability < min(MIN_END_PROBABILITY, MIN_END_SHARE * base.probability)


def allowed_failures(planned_lines: int) -> int:
    """Lines of a whole probe that may fail: as few as the two rates above permit, so two in twenty."""
    return next(allowed for allowed in range(planned_lines + 1) if _rejects_few_healthy(allowed, planned_lines))


def _rejects_few_healthy(allowed: int, planned_lines: int) -> bool:
    """Whether a trial that fails a healthy share of its lines is rejected seldom enough, by the screen or the rest."""
    screened = min(SCREEN_LINES, planned_lines)
    accepted = sum(
        _binomial(early, screened) * _binomial(late, planned_lines - screened)
        for early in range(min(SCREEN_FAILURES - 1, allowed) + 1)
        for late in range(allowed - early + 1)
    )
    return 1 - accepted <= MAX_FALSE_REJECTIONS


def _binomial(failures: int, lines: int) -> float:
    """The probability of so many failures in so many lines, at the failure rate of a healthy trial."""
    rate = HEALTHY_FAILURE_RATE
    return math.comb(lines, failures) * rate**failures * (1 - rate) ** (lines - failures) if failures <= lines else 0.0


def deciding_lines(lines: Sequence[SpokenLine]) -> list[SpokenLine]:
    """The lines that count."""
    return [line for line in lines if line.decides]


def make_verdict(
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
    """The verdict on a probe's lines, in the order in which they were spoken.

    `planned_lines` are the lines of the whole probe that count. `base` is None for the base model itself. `confirms`
    tests the failure rate instead of screening. Raises ValueError when no line counts.
    """
    deciding = deciding_lines(lines)
    if not deciding:
        raise ValueError("a verdict needs at least one spoken line, got none")
    failed = sum(line.failed for line in deciding)
    counts = {flag: sum(flag in line.flags for line in deciding) for flag in Flag}
    counts[Flag.VOICE_DRIFT] = voice.mismatches
    reasons = []
    if rarely_ends(end_probability, base):
        reasons.append(
            f"it would hardly ever end: at the ends of held-out clips its end probability is {end_probability:.2g}, "
            f"the base model's {base.probability:.2g}"
        )
    if _fails_too_often(deciding, planned_lines, confirms):
        rejecting = {flag: count for flag, count in counts.items() if flag.rejects and flag is not Flag.VOICE_DRIFT}
        summary = ", ".join(f"{flag} in {count}" for flag, count in rejecting.items() if count)
        reasons.append(f"{failed} of {len(deciding)} lines failed ({summary})")
    ratio = _median_tempo(deciding)
    if ratio is not None and not MEDIAN_TEMPO[0] <= ratio <= MEDIAN_TEMPO[1]:
        tempo = "rushed" if ratio < 1 else "slow"
        reasons.append(f"{tempo}: the median line takes {ratio:.2f} of the time it should")
    if voice.has_drifted:
        reasons.append(
            f"another voice: similarity {voice.similarity:.2f}, expected {voice.threshold:.2f} or more of this voice"
        )
    return Verdict(
        accepted=not reasons,
        reasons=tuple(reasons),
        flags={flag: count for flag, count in counts.items() if count},
        unknown=(*_unmeasured(deciding), *([Flag.VOICE_DRIFT] if voice.is_unknown else ())),
        failed_lines=failed,
        lines=tuple(lines),
        planned_lines=planned_lines,
        voice_similarity=voice.similarity,
        end_probability=end_probability,
        strength=strength,
        notes=_note_missed_ends(deciding, base),
        judge=judge,
        score=sum(line.score for line in deciding) / len(deciding),
    )


def _unmeasured(deciding: Sequence[SpokenLine]) -> list[Flag]:
    """Rejecting flags that a line could not be judged by: without a recogniser, those that words alone can tell. Of a
    text that repeats itself they alone tell whether its sound loops."""
    criteria = {flag: [each for each in CRITERIA if each.flag == flag] for flag in Flag if flag.rejects}
    return [
        flag
        for flag, judging in criteria.items()
        if judging
        and any(
            all(line.measures.get(each.name) is None for each in judging)
            or (flag is Flag.LOOPED and line.heard is None and has_repetition(line.text))
            for line in deciding
        )
    ]


def _fails_too_often(deciding: Sequence[SpokenLine], planned_lines: int, confirms: bool) -> bool:
    if confirms:
        return exceeds_failure_rate(deciding)
    return fails_screen(deciding) or sum(line.failed for line in deciding) > allowed_failures(planned_lines)


def _note_missed_ends(deciding: Sequence[SpokenLine], base: BaseResult | None) -> tuple[str, ...]:
    """Compares missed ends with those of the base model, which misses some as well."""
    missed = sum(not line.eos for line in deciding)
    if not missed or base is None:
        return ()
    p_value = fisher_p_value(missed, len(deciding), base.missed, base.lines)
    judged = "more than chance explains" if p_value < SIGNIFICANCE else "no more than chance explains"
    return (
        f"{missed} of {len(deciding)} lines never ended, of the base model's own clone {base.missed} of {base.lines}: "
        f"{judged} (p = {p_value:.2f})",
    )


def fisher_p_value(count: int, of: int, base: int, base_of: int) -> float:
    """The probability that at least `count` of all cases fall into the first group if both groups have one rate.

    The one-sided exact test of Fisher (1922).
    """
    all_cases, total = count + base, of + base_of
    combinations = math.comb(total, all_cases)
    most = min(of, all_cases)
    return sum(math.comb(of, k) * math.comb(base_of, all_cases - k) for k in range(count, most + 1)) / combinations


def _median_tempo(lines: Sequence[SpokenLine]) -> float | None:
    """Median length over expected length of the lines that are not short; None with fewer than four."""
    ratios = [line.seconds / line.expected_seconds for line in lines if letters(line.text) >= SHORT_LETTERS]
    return median(ratios) if len(ratios) >= MIN_TEMPO_LINES else None
