"""Translates between a space's domains and draws, and Optuna's distributions and points."""

from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from spaces.domain import CategoricalDomain, IntervalDomain
from spaces.draw import Draw
from spaces.space import Space


def shared_distributions(space: Space) -> dict[str, BaseDistribution]:
    """The fields that are searched under every objective, with their distributions; bounds are inclusive."""
    found: dict[str, BaseDistribution] = {}
    for name, domain in space.draw.items():
        if isinstance(domain, CategoricalDomain):
            found[name] = CategoricalDistribution(domain.values)
        elif isinstance(domain, IntervalDomain):
            kind = IntDistribution if domain.is_integer else FloatDistribution
            found[name] = kind(domain.low, domain.high, log=domain.log)
    return found


def objective_distributions(space: Space, objective: str) -> dict[str, CategoricalDistribution]:
    """What is searched under this objective only: fields of its section with several choices."""
    choices = space.objective[objective].choices
    return {f"{objective}.{name}": CategoricalDistribution(each) for name, each in choices.items() if len(each) > 1}


def to_draw(space: Space, point: dict[str, Any]) -> Draw:
    """The draw of a point, which has a value for every field searched under its objective, and maybe others."""
    fixed = {
        name: domain.value
        for name, domain in space.draw.items()
        if not isinstance(domain, (CategoricalDomain, IntervalDomain))
    }
    values = {**fixed, **{name: value for name, value in point.items() if name in space.draw}}
    for name in objective_distributions(space, values["objective"]):
        if name in point:
            values[name.partition(".")[2]] = point[name]
    return space.to_draw(values)


def to_point(draw: Draw, space: Space) -> dict[str, Any]:
    """The point of a draw; inverse of `to_draw`."""
    values = draw.model_dump(mode="json")
    shared = {name: values[name] for name in shared_distributions(space)}
    own = objective_distributions(space, draw.objective)
    return {**shared, **{name: values[name.partition(".")[2]] for name in own}}
