"""What Optuna is told, and what it suggests."""

from __future__ import annotations

import math

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search.proposals.budget import BudgetTracker
from search.proposals.distributions import shared_distributions, to_point
from search.proposals.scoring import NEVER_IN_BAND, NOT_ACCEPTED, score_trial
from search.proposals.study import SearchStudy
from search.tuning.resume import ResumeState
from search.tuning.searcher import DrawSearcher
from spaces.band import Band
from spaces.records.trial import Ending
from spaces.records.verdict import Flag
from spaces.space import Budget
from tests.support.made_runs import outcome, point, verdict
from tests.support.toy_search import toy_space

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


class Folders:
    """Stands in for the trials' folders: how each named trial ended."""

    def __init__(self, trials: int, resume: ResumeState | None = None, capacity: int = 99, **limits) -> None:
        self.space, self.capacity = toy_space("model"), capacity
        self.outcomes = {}
        self.drawn = {}
        self.budget = BudgetTracker(Budget(trials=trials, **limits))
        resume = resume or ResumeState()
        self.curves = {}
        study = SearchStudy(self.space, 1 + resume.next_number, trials, CLIPS, self.space.band)
        self.searcher = DrawSearcher(
            study,
            budget=self.budget,
            config_of=lambda trial, draw: {"trial": trial, "draw": draw},
            on_draw=self.drawn.__setitem__,
            band_of=lambda trial, draw: self.space.band(draw.objective),
            outcome_of=self.outcomes.get,
            curve_of=lambda trial: self.curves.get(trial, ()),
            resume=resume,
            capacity=lambda: self.capacity,
        )

    def suggest(self, trial_id: str):
        return self.searcher.suggest(trial_id)

    def end(self, trial_id: str, config: dict, *arguments, **details) -> None:
        ended = outcome(config["trial"], *arguments, drawn=config["draw"], **details)
        self.outcomes[config["trial"]] = ended
        self.budget.ended(ended)
        self.searcher.on_trial_complete(trial_id, {"anything": 1})

    @property
    def states(self) -> list[TrialState]:
        return [trial.state for trial in self.searcher.study.trials]


def test_a_search_suggests_as_many_trials_as_its_budget_and_leaves_none_running():
    folders = Folders(trials=4)
    configs = {trial_id: folders.suggest(trial_id) for trial_id in "abcd"}
    assert [config["trial"] for config in configs.values()] == ["t000", "t001", "t002", "t003"]
    assert folders.drawn == {config["trial"]: config["draw"] for config in configs.values()}
    assert folders.suggest("e") == Searcher.FINISHED
    folders.end("a", configs["a"], Ending.IN_BAND, GOOD, stopped=point(9, 0.6))
    folders.end("b", configs["b"], Ending.EXHAUSTED)
    folders.end("c", configs["c"], Ending.DIVERGED, stopped=point(3, math.nan))
    folders.searcher.on_trial_complete("d", error=True)
    assert folders.states == [COMPLETE, PRUNED, PRUNED, FAIL]
    assert folders.searcher.study.best_trial.value == pytest.approx(0.8)
    assert all(trial.constraints for trial in folders.searcher.study.trials[:3])


def test_no_more_trials_run_than_the_capacity():
    folders = Folders(trials=4, capacity=1)
    config = folders.suggest("a")
    assert folders.suggest("b") is None
    folders.capacity = 2
    assert folders.suggest("b")["trial"] == "t001"
    assert folders.suggest("c") is None
    folders.end("a", config, Ending.IN_BAND, GOOD)
    assert folders.suggest("c")["trial"] == "t002"
    folders.searcher.on_trial_complete("b", error=True)
    assert folders.suggest("d")["trial"] == "t003"
    assert folders.suggest("e") == Searcher.FINISHED


def test_a_trial_that_wrote_its_outcome_and_then_died_counts_as_it_ended():
    folders = Folders(trials=1)
    config = folders.suggest("a")
    folders.outcomes[config["trial"]] = outcome(config["trial"], verdict=GOOD, drawn=config["draw"])
    folders.searcher.on_trial_complete("a", error=True)
    assert folders.states == [COMPLETE]


def test_optuna_is_told_an_outcome_once():
    folders = Folders(trials=2)
    config = folders.suggest("a")
    folders.end("a", config, Ending.IN_BAND, GOOD)
    folders.searcher.on_trial_complete("a", error=True)
    assert folders.states == [COMPLETE]


def test_draws_stay_inside_the_space():
    folders = Folders(trials=12)
    for number in range(12):
        draw = folders.suggest(str(number))["draw"]
        assert draw.rank in (4, 8)
        assert 0.02 <= draw.lora_lr <= 0.2
        assert 30 <= draw.epochs <= 60
        folders.end(str(number), {"trial": f"t{number:03d}", "draw": draw}, Ending.IN_BAND, GOOD)
    assert set(shared_distributions(folders.space)) == {"rank", "alpha_ratio", "lora_lr", "epochs"}


@pytest.mark.parametrize(
    ("budget", "endings", "reason"),
    [({"accept": 1}, [GOOD], "1 accepted"), ({"hours": 1e-9}, [], "1e-09 hours are over")],
)
def test_a_used_up_budget_ends_the_draws(budget, endings, reason):
    folders = Folders(trials=9, **budget)
    for number, heard in enumerate(endings):
        folders.end(str(number), folders.suggest(str(number)), Ending.IN_BAND, heard)
    assert folders.suggest("next") == Searcher.FINISHED
    assert folders.budget.stop_reason() == reason


def test_a_cancelled_trial_may_be_drawn_again():
    folders = Folders(trials=1)
    folders.end("a", folders.suggest("a"), Ending.CANCELLED)
    assert folders.suggest("b")["trial"] == "t001"
    assert folders.suggest("c") == Searcher.FINISHED


def test_a_resumed_search_learns_from_what_ended_and_goes_on_with_what_did_not():
    before = Folders(trials=9)
    draws = [before.suggest(trial_id)["draw"] for trial_id in "abcd"]
    resume = ResumeState(
        recorded=(
            outcome("t000", verdict=GOOD, drawn=draws[0]),
            outcome("t001", Ending.EXHAUSTED, drawn=draws[1]),
        ),
        unfinished=(("t002", draws[2]),),
        cancelled=(draws[3],),
        next_number=4,
    )
    folders = Folders(trials=9, resume=resume)
    assert folders.states == [COMPLETE, PRUNED]
    remembered = folders.searcher.study.trials[0]
    assert remembered.params == to_point(draws[0], folders.space)
    assert remembered.constraints["accepted"] == -1.0
    assert folders.suggest("a") == {"trial": "t002", "draw": draws[2]}
    assert folders.suggest("b") == {"trial": "t004", "draw": draws[3]}
    assert folders.suggest("c")["trial"] == "t005"
    assert list(folders.drawn) == ["t004", "t005"]


def test_a_resumed_search_makes_no_draw_again():
    before = Folders(trials=2)
    for trial in ("a", "b"):
        before.suggest(trial)
    unfinished = tuple(before.drawn.items())
    after = Folders(trials=4, resume=ResumeState(unfinished=unfinished, next_number=2))
    suggested = [after.suggest(trial)["draw"] for trial in ("c", "d", "e", "f")]
    assert suggested[:2] == [draw for _, draw in unfinished]
    assert len({draw.model_dump_json() for draw in suggested}) == 4


def test_an_interrupted_search_suggests_nothing_not_even_unfinished_trials():
    draw = Folders(trials=1).suggest("a")["draw"]
    folders = Folders(trials=9, resume=ResumeState(unfinished=(("t000", draw),)))
    folders.budget.interrupted = True
    assert folders.suggest("a") == Searcher.FINISHED
