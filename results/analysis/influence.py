"""Which hyperparameters correlate with the score, and whether chance explains it."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spaces.records.trial import Outcome

MIN_TRIALS = 6
"""Probed trials: with five, even a perfect order is chance in one of sixty cases, and ten parameters are tested."""
SIGNIFICANCE_LEVEL = 0.05
SEED = 1
SHUFFLES = 9_999


class Influence(NamedTuple):
    """The influence of one hyperparameter on the score."""

    parameter: str
    correlation: float
    """Spearman's rank correlation with the score."""
    chance: float
    """p-value of a permutation test: how often shuffled scores correlate as strongly."""
    trials: int

    @property
    def is_significant(self) -> bool:
        return self.chance < SIGNIFICANCE_LEVEL

    def __str__(self) -> str:
        direction = "higher" if self.correlation > 0 else "lower"
        caveat = "" if self.is_significant else ", may be chance"
        return f"{self.parameter}: {direction} is better (ρ {self.correlation:+.2f}, p {self.chance:.2f}{caveat})"


def influences(outcomes: Iterable[Outcome]) -> list[Influence]:
    """The influence of every number that varied between trials, the strongest first; empty below six probed trials.

    Rank correlations of single parameters do not see interactions, and a search that follows good scores samples
    unevenly.
    """
    from scipy.stats import rankdata

    probed = [
        (outcome.draw.model_dump(), outcome.verdict.score) for outcome in outcomes if outcome.draw and outcome.verdict
    ]
    if len(probed) < MIN_TRIALS:
        return []
    scores = np.array([score for _, score in probed])
    if np.ptp(scores) == 0:
        return []
    shuffled = np.random.default_rng(SEED).permuted(np.tile(rankdata(scores), (SHUFFLES, 1)), axis=1)
    found = []
    for name, value in probed[0][0].items():
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            continue
        values = np.array([draw[name] for draw, _ in probed], dtype=float)
        if np.ptp(values) == 0:
            continue
        ranks = rankdata(values)
        correlation = float(_correlations(ranks, rankdata(scores)[None])[0])
        as_strong = int((np.abs(_correlations(ranks, shuffled)) >= abs(correlation) - 1e-12).sum())
        found.append(Influence(name, correlation, (1 + as_strong) / (1 + SHUFFLES), len(probed)))
    return sorted(found, key=lambda each: -abs(each.correlation))


def _correlations(ranks: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """ranks: [trials], others: [rows, trials] → [rows]: the correlation of `ranks` with each row."""
    own = ranks - ranks.mean()
    other = others - ranks.mean()
    result: NDArray[np.float64] = other @ own / (np.linalg.norm(own) * np.linalg.norm(other, axis=1))
    return result
