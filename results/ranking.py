"""Which adapter is best, and whether it is better than the base model's own cloning."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from results.ledger import History
from spaces.trial import Outcome
from spaces.verdict import SpokenLine, Verdict


class Judgement(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no different"


@dataclass(frozen=True)
class Comparison:
    """An adapter against the base model over the lines that both have spoken."""

    difference: float
    """Mean over the lines of the adapter's score minus the base's; scores are in [0, 1]."""
    standard_error: float
    """Of that mean: sample standard deviation / √lines. Infinite for a single line."""
    judgement: Judgement


def ranked(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The accepted ones, best score first; equal scores keep their order.

    How training ended does not matter: what an overshot trial came back to and had accepted counts like any other.
    """
    return sorted((outcome for outcome in outcomes if outcome.accepted), key=lambda outcome: -outcome.verdict.score)


def beats_base(trial: Verdict, base: Verdict) -> Comparison | None:
    """Compares line by line, because lines differ more in difficulty than adapters do.

    Better (or worse) when the mean difference is more than two standard errors away from 0, about 95 % confidence.
    None when they share no line.
    """
    other = dict(_keyed(base.lines))
    differences = [line.score - other[key].score for key, line in _keyed(trial.lines) if key in other]
    if not differences:
        return None
    count = len(differences)
    mean = math.fsum(differences) / count
    if count > 1:
        variance = math.fsum((difference - mean) ** 2 for difference in differences) / (count - 1)
        error = math.sqrt(variance / count)
    else:
        error = math.inf
    if abs(mean) <= 2 * error or mean == 0:
        judgement = Judgement.NO_DIFFERENCE
    else:
        judgement = Judgement.BETTER if mean > 0 else Judgement.WORSE
    return Comparison(mean, error, judgement)


def nearest(history: History) -> Outcome | None:
    """The trial that came closest to being accepted; None when none has ended.

    A probed one comes before any that was not: the fewest failed lines, then the best score. Without a probed one, the
    trial whose loss stopped nearest to its band.
    """
    rejected = [outcome for outcome in history.outcomes.values() if not outcome.accepted]
    return min(rejected, key=lambda outcome: _distance(outcome, history), default=None)


def _distance(outcome: Outcome, history: History) -> tuple[float, ...]:
    verdict = outcome.verdict
    if verdict is not None:
        return (0, verdict.failed_lines / max(1, len(verdict.lines)), -verdict.score)
    band = history.band(outcome.draw.objective) if outcome.draw else None
    loss = outcome.point.loss if outcome.point else math.nan
    if band is None or not math.isfinite(loss):
        return (2,)
    return (1, band.distance(loss))


def _keyed(lines: Iterable[SpokenLine]) -> list[tuple[tuple[str, int], SpokenLine]]:
    """Each line under its text and how often that text came before: a probe may speak one twice."""
    seen: Counter[str] = Counter()
    keyed = []
    for line in lines:
        keyed.append(((line.text, seen[line.text]), line))
        seen[line.text] += 1
    return keyed
