"""Which drawn values went with better scores, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from spaces.records.trial import Outcome

MIN_TRIALS = 6
"""Probed ones: with five even a perfect order is chance in one of sixty cases, and ten parameters are looked at."""
SIGNIFICANCE_LEVEL = 0.05
SEED = 1
SHUFFLES = 9_999


class Influence(NamedTuple):
    """Of one parameter on the score."""

    parameter: str
    correlation: float
    """Spearman's: 1 where a higher value always went with a better score, −1 where with a worse one."""
    chance: float
    """How often shuffled scores give as strong a correlation."""
    trials: int

    @property
    def is_significant(self) -> bool:
        return self.chance < SIGNIFICANCE_LEVEL

    def __str__(self) -> str:
        way = "higher" if self.correlation > 0 else "lower"
        sure = "" if self.is_significant else ", which chance explains"
        return f"{self.parameter}: {way} is better (ρ {self.correlation:+.2f}, p {self.chance:.2f}{sure})"


def influences(outcomes: Iterable[Outcome]) -> list[Influence]:
    """Of every number that was drawn at least twice differently, the strongest first; empty below six probed trials.

    Rank correlations of single parameters: they see no interplay, and a search that follows good scores draws unevenly.
    """
    import numpy as np
    from scipy.stats import spearmanr

    probed = [outcome for outcome in outcomes if outcome.verdict is not None and outcome.draw is not None]
    if len(probed) < MIN_TRIALS:
        return []
    scores = np.array([outcome.verdict.score for outcome in probed])
    shuffled = np.random.default_rng(SEED).permuted(np.tile(scores, (SHUFFLES, 1)), axis=1)
    found = []
    for name, value in probed[0].draw.model_dump().items():
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            continue
        values = np.array([getattr(outcome.draw, name) for outcome in probed], dtype=float)
        if np.ptp(values) == 0 or np.ptp(scores) == 0:
            continue
        correlation = float(spearmanr(values, scores).statistic)
        by_chance = _rank_correlations(values, shuffled)
        as_strong = int((np.abs(by_chance) >= abs(correlation) - 1e-12).sum())
        found.append(Influence(name, correlation, (1 + as_strong) / (1 + SHUFFLES), len(probed)))
    return sorted(found, key=lambda each: -abs(each.correlation))


def _rank_correlations(values, shuffled):
    """values: [trials], shuffled: [shuffles, trials] → [shuffles]: Spearman's correlation of each row with them."""
    import numpy as np
    from scipy.stats import rankdata

    one = rankdata(values) - (len(values) + 1) / 2
    other = rankdata(shuffled, axis=1) - (len(values) + 1) / 2
    return other @ one / (np.linalg.norm(one) * np.linalg.norm(other, axis=1))
