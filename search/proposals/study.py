"""The Optuna study of a search: proposes draws and learns from ended trials.

In: a space, and the outcome of each trial. Out: draws, and a journal in the run folder that optuna-dashboard reads.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState, create_trial

from search.proposals.bands import BandTracker
from search.proposals.crossing_model import CrossingModel
from search.proposals.distributions import objective_distributions, shared_distributions, to_draw, to_point
from search.proposals.prior_runs import starting_points
from search.proposals.sampler import make_sampler
from search.proposals.scoring import TrialScore, score_trial
from search.proposals.screening import NO_BAND, Prospect, ScreenedSampler
from spaces.band import Band
from spaces.draw import Draw
from spaces.families import FAMILIES
from spaces.records.trial import Outcome, Point
from spaces.space import Space

STUDY = "sweetspot"
TRIAL = "trial"
"""User attribute of a study's trial: the name of the search's trial."""


class SearchStudy:
    """Optuna on the probe's score, with the band and the verdict as constraints.

    It does not propose points that are predicted to miss their band. Each process starts with an empty study and adds
    the trials of earlier processes from the ledger.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        trials: int,
        clips: int,
        bands: BandTracker,
        storage: BaseStorage | None = None,
    ) -> None:
        """`trials` is the most that the search may run, `clips` the number in an epoch. `storage` must be empty; None
        keeps the study in memory.
        """
        self._space, self.bands = space, bands
        self._crossing_model = CrossingModel(clips, FAMILIES[space.family].slopes, space.evidence)
        self._shared = shared_distributions(space)
        self._by_objective = {objective: objective_distributions(space, objective) for objective in space.objectives}
        conditional = {name: each for own in self._by_objective.values() for name, each in own.items()}
        sampler = ScreenedSampler(make_sampler(seed, trials), seed, self._shared, conditional, self._prospect)
        self.study = optuna.create_study(storage=storage, study_name=STUDY, direction="maximize", sampler=sampler)
        self._starting_points = starting_points(space, clips)
        self._defaults = {name: domain.boundary_values()[0] for name, domain in space.draw.items()}
        self._asked: dict[str, Trial] = {}
        self._current: dict[str, Band | None] = {}
        """The bands of a trial drawn now."""

    def ask(self, trial: str, known: Draw | None = None) -> Draw:
        """The draw of the trial with this name. `known` is its draw if it was interrupted and continues."""
        self._current = {objective: self.bands.current_band(objective) for objective in self._space.objectives}
        point = self._next_starting_point() if known is None else to_point(known, self._space)
        if point is not None:
            self.study.enqueue_trial(point)
        asked = self._asked[trial] = self.study.ask(self._shared)
        asked.set_user_attr(TRIAL, trial)
        for name, distribution in self._by_objective[to_draw(self._space, asked.params).objective].items():
            asked.suggest_categorical(name, distribution.choices)
        return to_draw(self._space, asked.params)

    def tell(self, outcome: Outcome, curve: Sequence[Point]) -> None:
        """Tells Optuna how a trial has ended, in this process or in an earlier one."""
        self.bands.add(outcome)
        score = score_trial(outcome, self.bands.band_for(outcome.trial, outcome.draw))
        asked = self._asked.pop(outcome.trial, None)
        if asked is None:
            self._add_trial(outcome, score)
        else:
            for constraint, value in score.constraints.items():
                asked.set_constraint(constraint, value)
            self.study.tell(asked, score.score, score.state)
        if score.state is not TrialState.FAIL and curve:
            self._crossing_model.learn(outcome.draw, curve)

    def tell_failed(self, trial: str) -> None:
        """Tells Optuna that a trial left no outcome."""
        self.study.tell(self._asked.pop(trial), state=TrialState.FAIL)

    def _add_trial(self, outcome: Outcome, score: TrialScore) -> None:
        self.study.add_trial(
            create_trial(
                state=score.state,
                value=score.score,
                params=to_point(outcome.draw, self._space),
                distributions={**self._shared, **self._by_objective[outcome.draw.objective]},
                constraints=score.constraints,
                user_attrs={TRIAL: outcome.trial},
            )
        )

    def _next_starting_point(self) -> dict[str, Any] | None:
        """The next point that was good for another voice, is untried here, and is predicted to reach its band."""
        while self._starting_points:
            point = self._starting_points.pop(0)
            tried = any(point.items() <= trial.params.items() for trial in self.study.get_trials(deepcopy=False))
            if not tried and self._prospect({**self._defaults, **point}).violation <= 0:
                return point
        return None

    def _prospect(self, point: dict[str, Any]) -> Prospect:
        draw = to_draw(self._space, point)
        band = self._current[draw.objective]
        return self._crossing_model.prospect(draw, band) if band else NO_BAND


JOURNAL = "study.journal"


def new_journal(run: Path) -> JournalStorage:
    """An empty journal in the run folder. Deletes the journal of an earlier process and the lock that it may have left
    when it was killed; the study is rebuilt from the ledger.
    """
    for left in run.glob(f"{JOURNAL}*"):
        left.unlink()
    return JournalStorage(JournalFileBackend(str(run / JOURNAL)))
