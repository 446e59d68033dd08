"""Screens the points of a sampler: those whose trial would miss its band are drawn again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.proposals.sampler import SearchSampler

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
    """Takes the first point of another sampler that is worth starting.

    Fields are known from the space, not from finished trials. Those that the sampler leaves out are drawn at random.
    """

    def __init__(
        self,
        inner: SearchSampler,
        seed: int,
        shared: Mapping[str, BaseDistribution],
        conditional: Mapping[str, BaseDistribution],
        prospect: Callable[[dict[str, Any]], Prospect],
    ) -> None:
        """`shared` are the fields of every trial, `conditional` those of one objective only."""
        self._inner, self._sampler, self._prospect = inner, inner.sampler, prospect
        self._fields = {name: each for name, each in {**shared, **conditional}.items() if not each.single()}
        self._asked_of_sampler = {
            name: each for name, each in self._fields.items() if inner.conditional or name in shared
        }
        self._random = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        self._sampler.infer_relative_search_space(study, trial)
        return dict(self._fields)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        missing = 1 if study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) else EARLY_CANDIDATES
        candidates: list[tuple[Prospect, int, dict[str, Any]]] = []
        for index in range(MAX_CANDIDATES):
            is_asked = index == 0 or self._inner.redraws
            point = self._sampler.sample_relative(study, trial, dict(self._asked_of_sampler)) if is_asked else {}
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
        self._sampler.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._sampler.after_trial(study, trial, state, values)
