"""A TPE sampler that rejects points whose trial would miss its band."""

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
"""One trial in this many, ten at most, is drawn at random before TPE takes over: Optuna's default of ten would be
all of a small budget, and two points say little about five dimensions."""

MAX_CANDIDATES = 32
"""Points drawn in search of one that is worth starting. If none is, the one with the smallest violation is taken."""

EARLY_CANDIDATES = 4
"""Until the first adapter is probed, the point that crosses soonest is taken out of this many worth starting. Later
that would exclude adapters that only a slow run reaches."""


@dataclass(frozen=True, order=True)
class Prospect:
    """The forecast for a point. Prospects are ordered from good to bad."""

    violation: float
    """0 if the point is worth starting; otherwise its distance from such a point."""
    epochs: float
    """Until the loss enters the band."""


NO_BAND = Prospect(violation=0.0, epochs=0.0)
"""Of every point whose objective has no band."""


class ScreenedSampler(BaseSampler):
    """Multivariate TPE with constant liar, which draws again while a point is not worth starting.

    Fields that are searched under one objective only form a group of their own.
    """

    def __init__(
        self,
        seed: int,
        trials: int,
        distributions: dict[str, BaseDistribution],
        prospect: Callable[[dict[str, Any]], Prospect],
    ) -> None:
        """`trials` is the most that the search may run."""
        self._distributions, self._prospect = distributions, prospect
        startup = min(10, max(2, trials // STARTUP_SHARE))
        self._random = RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self._tpe = TPESampler(
                seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=startup
            )

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Every field that is searched under any objective, known from the space rather than from finished trials."""
        self._tpe.infer_relative_search_space(study, trial)
        return {name: each for name, each in self._distributions.items() if not each.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        missing = 1 if study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) else EARLY_CANDIDATES
        candidates: list[tuple[Prospect, int, dict[str, Any]]] = []
        for index in range(MAX_CANDIDATES):
            point = self._tpe.sample_relative(study, trial, search_space)
            for name in sorted(search_space.keys() - point.keys()):
                point[name] = self._random.sample_independent(study, trial, name, search_space[name])
            candidates.append((self._prospect(point), index, point))
            missing -= candidates[-1][0].violation <= 0
            if missing == 0:
                break
        return min(candidates)[-1]

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """For fields that an enqueued point leaves open."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._tpe.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._tpe.after_trial(study, trial, state, values)
