"""Within which bounds a number lies that was estimated from few observations."""

from __future__ import annotations

import math
from typing import NamedTuple

Z95 = 1.959964
"""A normal number is further from its mean than so many standard deviations in 5 % of cases."""


class ConfidenceInterval(NamedTuple):
    """Closed; with 95 % confidence the true value is inside."""

    low: float
    high: float

    def __str__(self) -> str:
        """As shares, in per cent."""
        return f"{self.low:.0%}–{self.high:.0%}"


def wilson(count: int, of: int) -> ConfidenceInterval:
    """Of a share, by the score interval of Wilson (1927); everything is possible when `of` is 0.

    Raises ValueError for a count outside 0 to `of`.
    """
    if not 0 <= count <= of:
        raise ValueError(f"expected a count from 0 to {of}, got {count}")
    if of == 0:
        return ConfidenceInterval(0.0, 1.0)
    share, square = count / of, Z95**2 / of
    centre = (share + square / 2) / (1 + square)
    half = Z95 / (1 + square) * math.sqrt(share * (1 - share) / of + square / (4 * of))
    return ConfidenceInterval(max(0.0, centre - half), min(1.0, centre + half))
