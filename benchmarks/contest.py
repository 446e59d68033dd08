"""What each tuner comes to in one world."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.spent import Spent
from benchmarks.tuners import (
    Probe,
    Tuner,
    asha,
    asha_probing,
    at_random,
    guide,
    ours,
    tpe,
    tpe_probing,
)
from benchmarks.worlds import Searched, UsedUp

OURS = "ours"
TUNERS: dict[str, Tuner] = {
    "random": at_random,
    "TPE on the final loss": tpe,
    "ASHA + TPE": asha,
    "TPE, probing along the curve": tpe_probing,
    "ASHA + TPE, probing along the curve": asha_probing,
    "the guide's way": guide,
    OURS: ours,
}
PLAIN = ("random", "TPE on the final loss", "ASHA + TPE")
NEARLY = 0.98
NEVER = Spent(math.inf, math.inf)


class Unit(StrEnum):
    """What is counted; a field of `Spent`."""

    EPOCHS = "epochs"
    SECONDS = "seconds"


@dataclass(frozen=True)
class Limits:
    """How long a tuner may search, and when the best that it has so far is looked at."""

    epochs: float
    equal: tuple[float, ...]
    """Ascending."""
    unit: Unit
    """Of those."""


@dataclass(frozen=True)
class Result:
    """What one tuner came to in one world."""

    first: Spent
    """Until an adapter was accepted; NEVER where none was."""
    nearly_best: Spent
    """Until one was whose score is within 2 % of the best of the reference."""
    best_at: tuple[float, ...]
    """Best accepted score at each of the equal costs, as a share of the reference's; 0 without one."""
    whole: Spent
    """When it stopped: it was through, at its limit, or out of runs."""


def measure(world: Searched, name: str, seed: int, limits: Limits, reference: float) -> Result:
    """`reference`: the best accepted score that is known of this world."""
    accepted: list[Probe] = []
    first, nearly_best, spent = NEVER, NEVER, Spent()
    try:
        for said in TUNERS[name](world, seed):
            spent = said.spent if isinstance(said, Probe) else said
            if spent.epochs > limits.epochs:
                break
            if isinstance(said, Probe) and said.accepted:
                accepted.append(said)
                first = min(first, spent)
                nearly_best = min(nearly_best, spent) if said.score >= NEARLY * reference else nearly_best
            if nearly_best is not NEVER and getattr(spent, limits.unit) > limits.equal[-1]:
                break
    except UsedUp:
        pass
    best_at = tuple(
        max((probe.score for probe in accepted if getattr(probe.spent, limits.unit) <= cost), default=0.0) / reference
        for cost in limits.equal
    )
    return Result(first, nearly_best, best_at, spent)
