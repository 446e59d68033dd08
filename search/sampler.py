"""TPE that is not handed a draw which would miss its band."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

STARTUP_SHARE = 2
"""One trial in two is drawn at random, ten at most, before TPE takes over: Optuna's own ten would be all of a small
budget, and two points say little about five dimensions."""

CHEAP=1e9
POW=1.0
TRIES = 64
"""So many points are looked at for one that is worth starting; of all that are not, the nearest is taken."""


class ScreenedSampler(BaseSampler):
    """Multivariate TPE with constant liar, each point drawn anew while it lies `outside`."""

    def __init__(
        self,
        seed: int,
        trials: int,
        distributions: dict[str, BaseDistribution],
        outside: Callable[[dict[str, Any]], float],
    ) -> None:
        """`trials` that the search may come to; `outside` is 0 for a point that is worth starting, and grows with its
        distance from one that is."""
        self._distributions, self._outside = distributions, outside
        startup = min(10, max(2, trials // STARTUP_SHARE))
        self._random = RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self._tpe = TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=startup)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All that is searched, known from the space and not from the trials so far."""
        return {name: each for name, each in self._distributions.items() if not each.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        best: dict[str, Any] = {}
        nearest = float("inf")
        for _ in range(TRIES):
            point = self._tpe.sample_relative(study, trial, search_space) or {
                name: self._random.sample_independent(study, trial, name, each) for name, each in search_space.items()
            }
            away, epochs = self._outside(point)
            if away < nearest:
                best, nearest = point, away
            if away <= 0 and self._random._rng.rng.random() <= (CHEAP / max(epochs, CHEAP))**POW:
                best = point
                break
        return best

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._tpe.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._tpe.after_trial(study, trial, state, values)
