"""Runs a tuner on one search problem, and measures what its adapters cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.search_cost import SearchCost
from benchmarks.tuners import (
    ProbeEvent,
    Tuner,
    asha,
    asha_probing,
    guide,
    ours,
    random_search,
    tpe,
    tpe_probing,
)
from benchmarks.worlds import NoRunsLeft, SearchProblem

OURS = "ours"
TUNERS: dict[str, Tuner] = {
    "random": random_search,
    "TPE on the final loss": tpe,
    "ASHA + TPE": asha,
    "TPE, probing along the curve": tpe_probing,
    "ASHA + TPE, probing along the curve": asha_probing,
    "the guide's way": guide,
    OURS: ours,
}
PLAIN = ("random", "TPE on the final loss", "ASHA + TPE")
NEAR_BEST = 0.98
NEVER = SearchCost(math.inf, math.inf)


class Unit(StrEnum):
    """What is counted; a field of `SearchCost`."""

    EPOCHS = "epochs"
    SECONDS = "seconds"


@dataclass(frozen=True)
class Limits:
    """How long a tuner may search, and the costs at which tuners are compared."""

    epochs: float
    equal: tuple[float, ...]
    """Costs at which the best score is taken, ascending."""
    unit: Unit
    """Of these costs."""


@dataclass(frozen=True)
class Result:
    """The result of one tuner on one search problem."""

    first: SearchCost
    """Cost of the first accepted adapter; NEVER without one."""
    nearly_best: SearchCost
    """Cost of the first whose score is within 2 % of the best of the reference."""
    best_at: tuple[float, ...]
    """Best accepted score at each equal cost, as a share of the reference's best; 0 without one."""
    whole: SearchCost
    """Cost when it stopped: done, at its limit, or without runs left."""


def measure(world: SearchProblem, name: str, seed: int, limits: Limits, reference: float) -> Result:
    """`reference`: the best known accepted score of this problem."""
    accepted: list[ProbeEvent] = []
    first, nearly_best, spent = NEVER, NEVER, SearchCost()
    try:
        for event in TUNERS[name](world, seed):
            spent = event.spent if isinstance(event, ProbeEvent) else event
            if spent.epochs > limits.epochs:
                break
            if isinstance(event, ProbeEvent) and event.accepted:
                accepted.append(event)
                first = min(first, spent)
                nearly_best = min(nearly_best, spent) if event.score >= NEAR_BEST * reference else nearly_best
            if nearly_best is not NEVER and getattr(spent, limits.unit) > limits.equal[-1]:
                break
    except NoRunsLeft:
        pass
    best_at = tuple(
        max((probe.score for probe in accepted if getattr(probe.spent, limits.unit) <= cost), default=0.0) / reference
        for cost in limits.equal
    )
    return Result(first, nearly_best, best_at, spent)
