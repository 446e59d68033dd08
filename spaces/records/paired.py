"""Compares two voices that spoke the same lines, line by line: lines differ more in difficulty than adapters do."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spaces.records.interval import ConfidenceInterval
from spaces.records.verdict import SpokenLine, Verdict


@dataclass(frozen=True)
class PairedComparison:
    """The scores of one voice minus those of another, over the deciding lines that both have spoken."""

    mean: float
    """Mean difference; scores are in [0, 1]."""
    standard_error: float
    """Of the mean: sample standard deviation / √lines. Infinite for a single line."""
    lines: int

    @property
    def interval(self) -> ConfidenceInterval:
        """95 % interval of the mean by Student's t distribution; −∞ to ∞ for a single line."""
        if math.isinf(self.standard_error):
            return ConfidenceInterval(-math.inf, math.inf)
        from scipy.special import stdtrit

        half = float(stdtrit(self.lines - 1, 0.975)) * self.standard_error
        return ConfidenceInterval(self.mean - half, self.mean + half)


def paired_comparison(one: Verdict, other: Verdict) -> PairedComparison | None:
    """Compares two verdicts over their common deciding lines; None when they share none."""
    known = dict(with_occurrence(line for line in other.lines if line.decides))
    own = with_occurrence(line for line in one.lines if line.decides)
    differences = [line.score - known[key].score for key, line in own if key in known]
    if not differences:
        return None
    count = len(differences)
    mean = math.fsum(differences) / count
    if count == 1:
        return PairedComparison(mean, math.inf, 1)
    variance = math.fsum((difference - mean) ** 2 for difference in differences) / (count - 1)
    return PairedComparison(mean, math.sqrt(variance / count), count)


def with_occurrence(lines: Iterable[SpokenLine]) -> Iterator[tuple[tuple[str, int], SpokenLine]]:
    """Each line with its key: its text, and how often that text came before. A probe may speak a text twice."""
    seen: Counter[str] = Counter()
    for line in lines:
        yield (line.text, seen[line.text]), line
        seen[line.text] += 1
