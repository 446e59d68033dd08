"""GPU time that a search spent, and what ending trials early saved."""

from __future__ import annotations

from typing import NamedTuple

from results.analysis.ranking import is_accepted
from results.run.ledger import History


class Costs(NamedTuple):
    """Seconds of a GPU, or of a CPU where there is none."""

    spent: float
    """By trials, the base model and finalists."""
    saved: float
    """What the trials that ended before their epochs were over would have trained on, at the pace they had."""
    accepted: int

    @property
    def per_accepted(self) -> float | None:
        return self.spent / self.accepted if self.accepted else None

    def __str__(self) -> str:
        told = f"{_hours(self.spent)} spent, about {_hours(self.saved)} saved by early endings"
        return told if self.per_accepted is None else f"{told}; {_hours(self.per_accepted)} per accepted adapter"


def costs(history: History) -> Costs:
    """Of all that has ended so far."""
    outcomes = [*history.outcomes.values(), *([history.base] if history.base else [])]
    spent = sum(outcome.gpu_seconds for outcome in outcomes) + sum(
        final.seconds for final in history.confirmations.values()
    )
    saved = 0.0
    for outcome in history.outcomes.values():
        point = outcome.point
        if point is None or outcome.draw is None or not 0 < point.epoch < outcome.draw.epochs:
            continue
        saved += point.gpu_seconds * (outcome.draw.epochs / point.epoch - 1)
    accepted = sum(is_accepted(outcome, history) for outcome in history.outcomes.values())
    return Costs(spent, saved, accepted)


def _hours(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} GPU seconds"
    return f"{seconds / 60:.0f} GPU minutes" if seconds < 7_200 else f"{seconds / 3_600:.1f} GPU hours"
