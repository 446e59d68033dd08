"""Ranks the accepted adapters, and compares each with the base model's own cloning."""

import math
from dataclasses import dataclass
from enum import StrEnum

from results.run.ledger import History
from spaces.records.interval import ConfidenceInterval
from spaces.records.paired import paired_comparison
from spaces.records.trial import BASE, Outcome
from spaces.records.verdict import Verdict


class ComparisonResult(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no different"


@dataclass(frozen=True)
class BaseComparison:
    """An adapter against the base model, over the lines that both have spoken."""

    difference: float
    """Mean of the adapter's score minus the base's, over the lines; scores are in [0, 1]."""
    interval: ConfidenceInterval
    """95 % interval of the mean."""
    judgement: ComparisonResult

    def __str__(self) -> str:
        low, high = self.interval
        interval = f" ({low:+.3f} to {high:+.3f})" if math.isfinite(low) else ""
        return f"{self.difference:+.3f}{interval}"


def ranked(history: History) -> list[Outcome]:
    """The accepted trials, best first. Confirmed finalists come before the others, by the score of the confirmation.

    A finalist whose confirmation failed is left out. A rejected trial is in where a lower strength of it was confirmed.
    Equal scores keep their order. How training ended does not matter.
    """
    accepted = [
        (outcome, verdict)
        for outcome in history.outcomes.values()
        if is_accepted(outcome, history) and (verdict := last_verdict(outcome, history)) is not None
    ]
    accepted.sort(key=lambda each: (each[0].trial not in history.confirmations, -each[1].score))
    return [outcome for outcome, _ in accepted]


def finalists(history: History, count: int) -> list[Outcome]:
    """The trials to confirm: the best accepted ones, then the rejected ones closest to acceptance, `count` in all.

    A rejected trial may be accepted at a lower strength of its LoRA.
    """
    probed = [outcome for outcome in history.outcomes.values() if outcome.verdict and outcome.checkpoint]
    probed.sort(key=lambda each: (0.0, -_score(each)) if each.accepted else (1.0, *_distance(each, history)))
    return probed[:count]


def is_accepted(outcome: Outcome, history: History) -> bool:
    """Whether the last verdict accepted the trial: the confirmation's, otherwise its own."""
    final = history.confirmations.get(outcome.trial)
    return final.accepted if final else outcome.accepted


def last_verdict(outcome: Outcome, history: History) -> Verdict | None:
    """The confirmation's verdict, otherwise the trial's own."""
    final = history.confirmations.get(outcome.trial)
    return final.confirmed if final and final.confirmed else outcome.verdict


def compare_with_base(outcome: Outcome, history: History) -> BaseComparison | None:
    """Compares a finalist over the lines of its confirmation, any other trial over the lines of every trial.

    None for the base model itself, and where one of the two has not spoken these lines.
    """
    if outcome.draw is None:
        return None
    final, base = history.confirmations.get(outcome.trial), history.confirmations.get(BASE)
    if final and base and final.confirmed and base.confirmed:
        return compare_verdicts(final.confirmed, base.confirmed)
    if outcome.verdict and history.base and history.base.verdict:
        return compare_verdicts(outcome.verdict, history.base.verdict)
    return None


def compare_verdicts(trial: Verdict, base: Verdict) -> BaseComparison | None:
    """Better or worse when the interval of the mean difference excludes 0.

    None when the verdicts share no line, or were judged by different criteria.
    """
    comparison = paired_comparison(trial, base) if trial.judge == base.judge else None
    if comparison is None:
        return None
    low, high = comparison.interval
    result = ComparisonResult.NO_DIFFERENCE
    if low > 0 or high < 0:
        result = ComparisonResult.BETTER if low > 0 else ComparisonResult.WORSE
    return BaseComparison(comparison.mean, comparison.interval, result)


def nearest(history: History) -> Outcome | None:
    """The rejected trial that came closest to acceptance; None when no trial has ended.

    Probed trials come first, by the share of failed lines, then by score; the others by their loss's distance to the
    band.
    """
    rejected = [outcome for outcome in history.outcomes.values() if not is_accepted(outcome, history)]
    return min(rejected, key=lambda outcome: _distance(outcome, history), default=None)


def _score(outcome: Outcome) -> float:
    return outcome.verdict.score if outcome.verdict else -math.inf


def _distance(outcome: Outcome, history: History) -> tuple[float, ...]:
    verdict = outcome.verdict
    if verdict is not None:
        return (0, verdict.failed_lines / max(1, len(verdict.lines)), -verdict.score)
    band = history.band_of(outcome.trial)
    loss = outcome.point.loss if outcome.point else math.nan
    if band is None or not math.isfinite(loss):
        return (2,)
    return (1, band.distance(loss))
