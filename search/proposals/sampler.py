"""TPE that is not handed a draw which would miss its band."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

STARTUP_SHARE = 2
"""One trial in two is drawn at random, ten at most, before TPE takes over: Optuna's own ten would be all of a small
budget, and two points say little about five dimensions."""

TRIES = 32
"""So many points are looked at for one that is worth starting; of all that are not, the nearest is taken."""

HURRIED = 4
"""Of so many that are, the one that crosses soonest is taken until a first adapter was heard. For longer it would lead
away from voices that only a slow run comes to."""


@dataclass(frozen=True, order=True)
class Prospect:
    """What is to be expected of a point."""

    violation: float
    """0 when it is worth starting; grows with the distance from one that is."""
    epochs: float
    """Until it crosses into its band."""


class ScreenedSampler(BaseSampler):
    """Multivariate TPE with constant liar; what is searched under one objective alone is a group of its own. Each point
    is drawn anew while it is not worth starting."""

    def __init__(
        self,
        seed: int,
        trials: int,
        distributions: dict[str, BaseDistribution],
        prospect: Callable[[dict[str, Any]], Prospect],
    ) -> None:
        """`trials` that the search may come to."""
        self._distributions, self._prospect = distributions, prospect
        startup = min(10, max(2, trials // STARTUP_SHARE))
        self._random = RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self._tpe = TPESampler(
                seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=startup
            )

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All that is searched under any objective, known from the space and not from the trials so far."""
        self._tpe.infer_relative_search_space(study, trial)
        return {name: each for name, each in self._distributions.items() if not each.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        wanted = 1 if study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) else HURRIED
        found: list[tuple[Prospect, int, dict[str, Any]]] = []
        for place in range(TRIES):
            point = self._tpe.sample_relative(study, trial, search_space)
            for name in sorted(search_space.keys() - point.keys()):
                point[name] = self._random.sample_independent(study, trial, name, search_space[name])
            found.append((self._prospect(point), place, point))
            wanted -= found[-1][0].violation <= 0
            if wanted == 0:
                break
        return min(found)[-1]

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Of what a draw that is known already leaves open."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._tpe.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._tpe.after_trial(study, trial, state, values)
