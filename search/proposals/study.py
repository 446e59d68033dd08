"""The Optuna study of a search, asked for draws and told how they ended. No Ray.

The study as a file in the run's folder, for optuna-dashboard and whoever else reads Optuna's journals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState, create_trial

from search.proposals.crossing_model import CrossingModel
from search.proposals.distributions import objective_distributions, shared_distributions, to_draw, to_point
from search.proposals.prior_runs import starting_points
from search.proposals.sampler import Prospect, ScreenedSampler
from search.proposals.scoring import score_trial
from spaces.band import Band
from spaces.draw import Draw, Objective
from spaces.records.trial import Outcome, Point
from spaces.space import Space

STUDY = "sweetspot"
TRIAL = "trial"
"""Under this name a trial of the study says which of the search's trials it is."""


class SearchStudy:
    """Multivariate TPE on the probe's score, with the band and the verdict as constraints.

    A point whose crossing is foretold to lie outside its epochs is not handed out. The study begins empty in every
    process: the ledger is the record, and whatever ended in an earlier one is told again.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        trials: int,
        clips: int,
        band_of: Callable[[Objective], Band],
        storage: BaseStorage | None = None,
    ) -> None:
        """`trials` that the search may come to, `clips` in an epoch; `band_of` says which band a new draw would get.
        An empty `storage` keeps the study, or memory does.
        """
        self._space, self._band_of = space, band_of
        self._crossing_model = CrossingModel(clips, space.evidence)
        self._shared = shared_distributions(space)
        self._own = {objective: objective_distributions(space, objective) for objective in space.objectives}
        everything = {name: each for own in (self._shared, *self._own.values()) for name, each in own.items()}
        sampler = ScreenedSampler(seed, trials, everything, self._prospect)
        self.study = optuna.create_study(storage=storage, study_name=STUDY, direction="maximize", sampler=sampler)
        self._first_points = starting_points(space, clips)
        self._middle = {name: domain.boundary_values()[0] for name, domain in space.draw.items()}
        self._asked: dict[str, Trial] = {}
        self._bands: dict[Objective, Band] = {}

    def ask(self, trial: str, known: Draw | None = None) -> Draw:
        """A draw for the trial of that name; `known` is one that was made before and goes on."""
        self._bands = {objective: self._band_of(objective) for objective in self._space.objectives}
        point = self._first_point() if known is None else to_point(known, self._space)
        if point is not None:
            self.study.enqueue_trial(point)
        asked = self._asked[trial] = self.study.ask(self._shared)
        asked.set_user_attr(TRIAL, trial)
        for name, distribution in self._own[to_draw(self._space, asked.params).objective].items():
            asked.suggest_categorical(name, distribution.choices)
        return to_draw(self._space, asked.params)

    def tell(self, outcome: Outcome, band: Band, curve: Sequence[Point]) -> None:
        """How a trial that was asked for has ended; `band` judged it."""
        told, asked = score_trial(outcome, band), self._asked.pop(outcome.trial)
        for constraint, value in told.constraints.items():
            asked.set_constraint(constraint, value)
        self.study.tell(asked, told.score, told.state)
        self._learn(outcome, told.state, curve)

    def tell_failed(self, trial: str) -> None:
        """It has left no outcome."""
        self.study.tell(self._asked.pop(trial), state=TrialState.FAIL)

    def add_finished(self, outcome: Outcome, band: Band, curve: Sequence[Point]) -> None:
        """A trial that ended in an earlier process."""
        told = score_trial(outcome, band)
        self.study.add_trial(
            create_trial(
                state=told.state,
                value=told.score,
                params=to_point(outcome.draw, self._space),
                distributions={**self._shared, **self._own[outcome.draw.objective]},
                constraints=told.constraints,
                user_attrs={TRIAL: outcome.trial},
            )
        )
        self._learn(outcome, told.state, curve)

    def _learn(self, outcome: Outcome, state: TrialState, curve: Sequence[Point]) -> None:
        if state is not TrialState.FAIL and curve:
            self._crossing_model.learn(outcome.draw, curve)

    def _first_point(self) -> dict[str, Any] | None:
        """The next of those that were good elsewhere, has not been tried here, and is foretold to cross in time."""
        while self._first_points:
            point = self._first_points.pop(0)
            tried = any(point.items() <= trial.params.items() for trial in self.study.get_trials(deepcopy=False))
            if not tried and self._prospect({**self._middle, **point}).violation <= 0:
                return point
        return None

    def _prospect(self, point: dict[str, Any]) -> Prospect:
        draw = to_draw(self._space, point)
        return self._crossing_model.prospect(draw, self._bands[draw.objective])


JOURNAL = "study.journal"


def new_journal(run: Path) -> JournalStorage:
    """An empty one in the run's folder. What an earlier process left there is dropped, with the lock that it may have
    held when it was killed: the ledger is the record, and from it the study is told everything again.
    """
    for left in run.glob(f"{JOURNAL}*"):
        left.unlink()
    return JournalStorage(JournalFileBackend(str(run / JOURNAL)))
