"""Two voices that spoke the same lines, compared line by line: lines differ more in difficulty than adapters do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from spaces.records.interval import ConfidenceInterval
from spaces.records.verdict import SpokenLine, Verdict


@dataclass(frozen=True)
class PairedComparison:
    """The scores of one voice minus those of another, over the lines that count and both have spoken."""

    mean: float
    """Scores are in [0, 1]."""
    standard_error: float
    """Of that mean: sample standard deviation / √lines. Infinite for a single line."""
    lines: int

    @property
    def interval(self) -> ConfidenceInterval:
        """Of the mean, at 95 %, by Student's t distribution; from −∞ to ∞ for a single line."""
        if math.isinf(self.standard_error):
            return ConfidenceInterval(-math.inf, math.inf)
        from scipy.special import stdtrit

        half = float(stdtrit(self.lines - 1, 0.975)) * self.standard_error
        return ConfidenceInterval(self.mean - half, self.mean + half)


def paired(one: Verdict, other: Verdict) -> PairedComparison | None:
    """None when they share no line that counts."""
    known = dict(_keyed(other.lines))
    differences = [line.score - known[key].score for key, line in _keyed(one.lines) if key in known]
    if not differences:
        return None
    count = len(differences)
    mean = math.fsum(differences) / count
    if count == 1:
        return PairedComparison(mean, math.inf, 1)
    variance = math.fsum((difference - mean) ** 2 for difference in differences) / (count - 1)
    return PairedComparison(mean, math.sqrt(variance / count), count)


def _keyed(lines: Iterable[SpokenLine]) -> list[tuple[tuple[str, int], SpokenLine]]:
    """Each line that counts under its text and how often that text came before: a probe may speak one twice."""
    seen: Counter[str] = Counter()
    keyed = []
    for line in lines:
        if line.decides:
            keyed.append(((line.text, seen[line.text]), line))
            seen[line.text] += 1
    return keyed
