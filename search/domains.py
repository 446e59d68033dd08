"""A space's domains in Optuna's terms."""

from __future__ import annotations

from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from spaces.domain import Choice, Interval
from spaces.draw import Draw
from spaces.space import Space


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The fields that are searched, each with its distribution; bounds are included."""
    found: dict[str, BaseDistribution] = {}
    for name, domain in space.draw.items():
        if isinstance(domain, Choice):
            found[name] = CategoricalDistribution(domain.values)
        elif isinstance(domain, Interval):
            kind = IntDistribution if domain.whole else FloatDistribution
            found[name] = kind(domain.low, domain.high, log=domain.log)
    return found


def fixed(space: Space) -> dict[str, Any]:
    """The fields that are not searched. Together with a value per distribution they make a draw."""
    return {name: domain.value for name, domain in space.draw.items() if not isinstance(domain, (Choice, Interval))}


def chosen(draw: Draw, space: Space) -> dict[str, Any]:
    """The values that make this draw, one per distribution."""
    values = draw.model_dump(mode="json")
    return {name: values[name] for name in distributions(space)}
