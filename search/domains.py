"""A space's domains in Optuna's terms."""

from __future__ import annotations

from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

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


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """Lets Optuna choose every searched field; returns those that are fixed. Together they make a draw."""
    for name, distribution in distributions(space).items():
        match distribution:
            case CategoricalDistribution():
                trial.suggest_categorical(name, distribution.choices)
            case IntDistribution():
                trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log)
            case FloatDistribution():
                trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)
    return {name: domain.value for name, domain in space.draw.items() if not isinstance(domain, (Choice, Interval))}


def chosen(draw: Draw, space: Space) -> dict[str, Any]:
    """What `suggest` chose when it made this draw."""
    values = draw.model_dump(mode="json")
    return {name: values[name] for name in distributions(space)}
