"""Confidence intervals of numbers that are estimated from few observations."""

import math
from typing import NamedTuple

Z95 = 1.959964
"""97.5th percentile of the standard normal distribution."""


class ConfidenceInterval(NamedTuple):
    """A closed interval that holds the true value with 95 % confidence."""

    low: float
    high: float

    def __str__(self) -> str:
        """The bounds as percentages."""
        return f"{self.low:.0%}–{self.high:.0%}"


def wilson(count: int, total: int) -> ConfidenceInterval:
    """The score interval of Wilson (1927) for the share count / total; 0 to 1 when `total` is 0.

    Raises ValueError for a count outside 0 to `total`.
    """
    if not 0 <= count <= total:
        raise ValueError(f"expected a count from 0 to {total}, got {count}")
    if total == 0:
        return ConfidenceInterval(0.0, 1.0)
    share, square = count / total, Z95**2 / total
    centre = (share + square / 2) / (1 + square)
    half = Z95 / (1 + square) * math.sqrt(share * (1 - share) / total + square / (4 * total))
    return ConfidenceInterval(max(0.0, centre - half), min(1.0, centre + half))
