"""What Optuna is told, and what it suggests."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from results.run.ledger import History
from results.run.run_folder import RunFolder
from search.planning.plan import Plan
from search.proposals.bands import BandTracker
from search.proposals.budget import BudgetTracker
from search.proposals.distributions import shared_distributions, to_point
from search.proposals.scoring import NEVER_IN_BAND, NOT_ACCEPTED, score_trial
from search.proposals.study import SearchStudy
from search.tuning.resume import ResumeState
from search.tuning.searcher import DrawSearcher
from search.tuning.tune_report import spec_of
from spaces.band import Band
from spaces.draw import Draw
from spaces.records.losses import BaseLoss
from spaces.records.trial import Ending
from spaces.records.trial_spec import TrialSpec
from spaces.space import Budget
from tests.support.made_runs import base, base_losses, outcome, point, verdict
from tests.support.toy_search import toy_space
from trainable.probe.criteria.criteria_table import Flag

BAND = Band(low=1.5, high=3.0)
CLIPS = 24
COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL
GOOD, BAD = verdict([0.8, 0.8]), verdict([0.2, 0.4], ("garbled",), Flag.GARBLED)
NAN = float("nan")


@pytest.mark.parametrize(
    ("ended", "state", "score", "constraints"),
    [
        (outcome("t", verdict=GOOD, stopped=point(9, 2.0)), COMPLETE, 0.8, {"band": -0.5, "accepted": -1.0}),
        (outcome("t", verdict=BAD, stopped=point(9, 2.0)), COMPLETE, 0.3, {"band": -0.5, "accepted": 1.0}),
        (outcome("t", Ending.OVERSHOT, GOOD, stopped=point(9, 3.5)), COMPLETE, 0.8, {"band": 0.5, "accepted": -1.0}),
        (outcome("t", Ending.OVERSHOT, stopped=point(9, 1.0)), PRUNED, None, {"band": 0.5, "accepted": 1.0}),
        (outcome("t", Ending.EXHAUSTED, stopped=point(9, 4.0)), PRUNED, None, {"band": 1.0, "accepted": 1.0}),
        (outcome("t", Ending.HOPELESS, stopped=point(9, 5.0)), PRUNED, None, {"band": 2.0, "accepted": 1.0}),
        (outcome("t", Ending.DIVERGED, stopped=point(9, NAN)), PRUNED, None, {"band": NEVER_IN_BAND, "accepted": 1.0}),
        (outcome("t", Ending.COLLAPSED, stopped=point(9, 0.0)), PRUNED, None, {"band": NEVER_IN_BAND, "accepted": 1.0}),
        (outcome("t", Ending.CANCELLED), FAIL, None, {}),
        (outcome("t", Ending.FAILED), FAIL, None, {}),
        (outcome("t", verdict=verdict([NAN])), FAIL, None, {}),
    ],
)
def test_every_ending_has_a_state_in_optuna(ended, state, score, constraints):
    scored = score_trial(ended, BAND)
    assert scored.state is state
    assert scored.score == (None if score is None else pytest.approx(score))
    assert scored.constraints == pytest.approx(constraints)


def test_a_rejected_trial_in_the_band_ranks_before_one_that_never_got_there():
    rejected = sum(max(0.0, value) for value in score_trial(outcome("t", verdict=BAD), BAND).constraints.values())
    outside = score_trial(outcome("t", Ending.EXHAUSTED, stopped=point(9, 3.01)), BAND).constraints
    assert rejected <= NOT_ACCEPTED < sum(outside.values())


class Searching:
    """A searcher, and what the recorder would do for it when a trial ends."""

    def __init__(self, trials: int, resume: ResumeState | None = None, capacity: int = 99, **limits) -> None:
        self.space, self.capacity, resume = toy_space("model"), capacity, resume or ResumeState()
        self.budget = BudgetTracker(Budget(trials=trials, **limits))
        self.drawn: dict[str, Draw] = {}
        bands = BandTracker(self.space, History(base=base([0.5], base_losses(distance=4.5))))
        self.study = SearchStudy(self.space, 1 + resume.next_number, trials, CLIPS, bands)
        for ended in resume.ended:
            self.study.tell(ended, ())
        plan = Plan(
            space=self.space,
            family="none",
            sources=(),
            auto_reference=False,
            model="model",
            run=RunFolder(Path("run")),
            resume=False,
            seed=1,
            budget=self.space.budget,
            address="local",
            cache=Path("cache"),
        )
        self.searcher = DrawSearcher(plan, self.study, self.budget, resume, self._on_draw, lambda: self.capacity)

    def _on_draw(self, spec: TrialSpec) -> None:
        self.drawn[spec.trial] = spec.draw

    def suggest(self, trial_id: str):
        """The spec of the suggested trial, or what else the searcher answers."""
        config = self.searcher.suggest(trial_id)
        return spec_of(config) if isinstance(config, dict) else config

    def end(self, trial_id: str, spec: TrialSpec, *arguments, **details) -> None:
        ended = outcome(spec.trial, *arguments, drawn=spec.draw, **details)
        self.searcher.on_trial_complete(trial_id, {"anything": 1})
        self.budget.ended(ended)
        self.study.tell(ended, ())

    @property
    def states(self) -> list[TrialState]:
        return [trial.state for trial in self.searcher.study.trials]


def test_a_search_suggests_as_many_trials_as_its_budget_and_leaves_none_running():
    search = Searching(trials=4)
    specs = {trial_id: search.suggest(trial_id) for trial_id in "abcd"}
    assert [spec.trial for spec in specs.values()] == ["t000", "t001", "t002", "t003"]
    assert search.drawn == {spec.trial: spec.draw for spec in specs.values()}
    assert all(spec.band == search.space.band(spec.draw.objective) for spec in specs.values())
    assert {spec.base_loss for spec in specs.values()} == {BaseLoss(mean=4.5, deviation=0.3)}
    assert search.suggest("e") == Searcher.FINISHED
    search.end("a", specs["a"], Ending.IN_BAND, GOOD, stopped=point(9, 0.6))
    search.end("b", specs["b"], Ending.EXHAUSTED)
    search.end("c", specs["c"], Ending.DIVERGED, stopped=point(3, math.nan))
    search.end("d", specs["d"], Ending.FAILED)
    assert search.states == [COMPLETE, PRUNED, PRUNED, FAIL]
    assert search.searcher.study.best_trial.value == pytest.approx(0.8)
    assert all(trial.constraints for trial in search.searcher.study.trials[:3])


def test_no_more_trials_run_than_the_capacity():
    search = Searching(trials=4, capacity=1)
    spec = search.suggest("a")
    assert search.suggest("b") is None
    search.capacity = 2
    assert search.suggest("b").trial == "t001"
    assert search.suggest("c") is None
    search.end("a", spec, Ending.IN_BAND, GOOD)
    assert search.suggest("c").trial == "t002"
    search.searcher.on_trial_complete("b", error=True)
    assert search.suggest("d").trial == "t003"
    assert search.suggest("e") == Searcher.FINISHED


def test_draws_stay_inside_the_space():
    search = Searching(trials=12)
    for number in range(12):
        spec = search.suggest(str(number))
        draw = spec.draw
        assert draw.weight in (1, 2)
        assert 0.02 <= draw.vector_lr <= 0.2
        assert 30 <= draw.epochs <= 60
        search.end(str(number), spec, Ending.IN_BAND, GOOD)
    assert set(shared_distributions(search.space)) == {"weight", "vector_lr", "epochs"}


@pytest.mark.parametrize(
    ("budget", "endings", "reason"),
    [({"accept": 1}, [GOOD], "1 accepted"), ({"hours": 1e-9}, [], "1e-09 hours are over")],
)
def test_a_used_up_budget_ends_the_draws(budget, endings, reason):
    search = Searching(trials=9, **budget)
    for number, heard in enumerate(endings):
        search.end(str(number), search.suggest(str(number)), Ending.IN_BAND, heard)
    assert search.suggest("next") == Searcher.FINISHED
    assert search.budget.stop_reason() == reason


def test_a_cancelled_trial_may_be_drawn_again():
    search = Searching(trials=1)
    search.end("a", search.suggest("a"), Ending.CANCELLED)
    assert search.suggest("b").trial == "t001"
    assert search.suggest("c") == Searcher.FINISHED


def test_a_resumed_search_learns_from_what_ended_and_goes_on_with_what_did_not():
    before = Searching(trials=9)
    draws = [before.suggest(trial_id).draw for trial_id in "abcd"]
    resume = ResumeState(
        recorded=(
            outcome("t000", verdict=GOOD, drawn=draws[0]),
            outcome("t001", Ending.EXHAUSTED, drawn=draws[1]),
        ),
        unfinished=(("t002", draws[2]),),
        cancelled=(draws[3],),
        next_number=4,
    )
    search = Searching(trials=9, resume=resume)
    assert search.states == [COMPLETE, PRUNED]
    remembered = search.searcher.study.trials[0]
    assert remembered.params == to_point(draws[0], search.space)
    assert remembered.constraints["accepted"] == -1.0
    for trial_id, expected in (("a", ("t002", draws[2])), ("b", ("t004", draws[3]))):
        spec = search.suggest(trial_id)
        assert (spec.trial, spec.draw) == expected
    assert search.suggest("c").trial == "t005"
    assert list(search.drawn) == ["t004", "t005"]


def test_a_resumed_search_makes_no_draw_again():
    before = Searching(trials=2)
    for trial in ("a", "b"):
        before.suggest(trial)
    unfinished = tuple(before.drawn.items())
    after = Searching(trials=4, resume=ResumeState(unfinished=unfinished, next_number=2))
    suggested = [after.suggest(trial).draw for trial in ("c", "d", "e", "f")]
    assert suggested[:2] == [draw for _, draw in unfinished]
    assert len({draw.model_dump_json() for draw in suggested}) == 4


def test_an_interrupted_search_suggests_nothing_not_even_unfinished_trials():
    draw = Searching(trials=1).suggest("a").draw
    search = Searching(trials=9, resume=ResumeState(unfinished=(("t000", draw),)))
    search.budget.interrupted = True
    assert search.suggest("a") == Searcher.FINISHED
