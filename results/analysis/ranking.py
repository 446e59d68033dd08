"""Which adapter is best, and whether it is better than the base model's own cloning."""

from __future__ import annotations

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
    """An adapter against the base model over the lines that both have spoken."""

    difference: float
    """Mean over the lines of the adapter's score minus the base's; scores are in [0, 1]."""
    interval: ConfidenceInterval
    """Of that mean, at 95 %."""
    judgement: ComparisonResult

    def __str__(self) -> str:
        low, high = self.interval
        told = f" ({low:+.3f} to {high:+.3f})" if math.isfinite(low) else ""
        return f"{self.difference:+.3f}{told}"


def ranked(history: History) -> list[Outcome]:
    """The accepted ones, the best first. Those that were confirmed as finalists come before the others, by the score of
    that; a finalist that was turned down is none of them, and a trial that was rejected is, where a weaker dose of it
    was confirmed. Equal scores keep their order.

    How training ended does not matter: what an overshot trial came back to and had accepted counts like any other.
    """
    accepted = [outcome for outcome in history.outcomes.values() if is_accepted(outcome, history)]

    def place(outcome: Outcome) -> tuple[bool, float]:
        return outcome.trial not in history.confirmations, -last_verdict(outcome, history).score

    return sorted(accepted, key=place)


def finalists(history: History, count: int) -> list[Outcome]:
    """Who is heard for longer: the accepted trials with the best scores, and where these are fewer than `count`, the
    rejected ones that came closest: a weaker dose of an adapter that overdoes it may be accepted."""
    probed = [outcome for outcome in history.outcomes.values() if outcome.verdict and outcome.checkpoint]
    accepted = sorted((each for each in probed if each.accepted), key=lambda each: -each.verdict.score)
    rejected = sorted((each for each in probed if not each.accepted), key=lambda each: _distance(each, history))
    return [*accepted, *rejected][:count]


def is_accepted(outcome: Outcome, history: History) -> bool:
    """By the last that was heard of it."""
    final = history.confirmations.get(outcome.trial)
    return final.accepted if final else outcome.accepted


def last_verdict(outcome: Outcome, history: History) -> Verdict | None:
    """The one with the last word: of the confirmation, otherwise of the trial."""
    final = history.confirmations.get(outcome.trial)
    return final.confirmed if final and final.confirmed else outcome.verdict


def compare_with_base(outcome: Outcome, history: History) -> BaseComparison | None:
    """A finalist is compared over the lines of its confirmation, any other over those of every trial.

    None where one of the two has not spoken them, and for the base itself.
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
    """Better, or worse, when the interval of the mean difference excludes 0.

    None when they share no line, or were judged by different yardsticks.
    """
    compared = paired_comparison(trial, base) if trial.judge == base.judge else None
    if compared is None:
        return None
    low, high = compared.interval
    judgement = (
        ComparisonResult.BETTER if low > 0 else ComparisonResult.WORSE if high < 0 else ComparisonResult.NO_DIFFERENCE
    )
    return BaseComparison(compared.mean, compared.interval, judgement)


def nearest(history: History) -> Outcome | None:
    """The trial that came closest to being accepted; None when none has ended.

    A probed one comes before any that was not: the fewest failed lines, then the best score. Without a probed one, the
    trial whose loss stopped nearest to its band.
    """
    rejected = [outcome for outcome in history.outcomes.values() if not is_accepted(outcome, history)]
    return min(rejected, key=lambda outcome: _distance(outcome, history), default=None)


def _distance(outcome: Outcome, history: History) -> tuple[float, ...]:
    verdict = outcome.verdict
    if verdict is not None:
        return (0, verdict.failed_lines / max(1, len(verdict.lines)), -verdict.score)
    band = history.band_of(outcome.trial)
    loss = outcome.point.loss if outcome.point else math.nan
    if band is None or not math.isfinite(loss):
        return (2,)
    return (1, band.distance(loss))
