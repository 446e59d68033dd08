"""GPU time that a search spent, and that ending trials early saved."""

from typing import NamedTuple

from results.analysis.ranking import is_accepted
from results.run.ledger import History


class Costs(NamedTuple):
    """GPU seconds; a CPU counts as a GPU."""

    spent: float
    """On trials, the base model and confirmations."""
    saved: float
    """What trials that ended before their last epoch would have trained on, at their own speed."""
    accepted: int

    @property
    def per_accepted(self) -> float | None:
        return self.spent / self.accepted if self.accepted else None

    def __str__(self) -> str:
        text = f"{_duration(self.spent)} spent, about {_duration(self.saved)} saved by early endings"
        return text if self.per_accepted is None else f"{text}; {_duration(self.per_accepted)} per accepted adapter"


def costs(history: History) -> Costs:
    """Costs of all trials that have ended so far, of the base model and of confirmations."""
    outcomes = [*history.outcomes.values(), *([history.base] if history.base else [])]
    spent = sum(outcome.gpu_seconds for outcome in outcomes)
    spent += sum(confirmation.seconds for confirmation in history.confirmations.values())
    saved = 0.0
    for outcome in history.outcomes.values():
        point = outcome.point
        if point is None or outcome.draw is None or not 0 < point.epoch < outcome.draw.epochs:
            continue
        saved += point.gpu_seconds * (outcome.draw.epochs / point.epoch - 1)
    accepted = sum(is_accepted(outcome, history) for outcome in history.outcomes.values())
    return Costs(spent, saved, accepted)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} GPU seconds"
    return f"{seconds / 60:.0f} GPU minutes" if seconds < 7_200 else f"{seconds / 3_600:.1f} GPU hours"
