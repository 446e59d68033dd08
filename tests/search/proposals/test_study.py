"""The study: every domain of a space, what is tried first, and what is not proposed."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from pydantic import ValidationError

from search.proposals.bands import BandTracker
from search.proposals.distributions import shared_distributions, to_draw, to_point
from search.proposals.prior_runs import prior_losses, starting_points
from search.proposals.sampler import SearchSampler, make_sampler
from search.proposals.screening import Prospect, ScreenedSampler
from search.proposals.study import JOURNAL, STUDY, TRIAL, SearchStudy, new_journal
from spaces.qwen3_tts import Objective, QwenDraw
from spaces.records.trial import Ending
from spaces.space import Space, load_space
from tests.support.made_curves import linear, observed
from tests.support.made_runs import outcome, verdict
from tests.support.toy_search import toy_space

CLIPS = 32
DOMAINS = {
    "objective": ["guide", "aligned"],
    "rank": {"low": 4, "high": 64, "log": True},
    "alpha_ratio": {"low": 0.5, "high": 4.0},
    "lora_lr": {"low": 1e-6, "high": 1e-4, "log": True},
    "text_projection_lr": {"low": 1e-7, "high": 1e-5, "log": True},
    "epochs": {"low": 3, "high": 15},
    "dropout": [0.0, 0.05, 0.1],
    "batch": [1, 2],
    "accumulation": [1, 2, 4],
    "warmup": {"low": 0, "high": 20},
    "lr_floor": {"low": 0.0, "high": 0.5},
    "lr_cycles": [1, 2],
    "sub_weight": {"low": 0.1, "high": 0.5},
    "sub_frames": [0.5, 1.0],
    "curriculum": ["none", "length"],
    "augmented": {"low": 0.0, "high": 0.5},
    "weight_decay": {"low": 0.0, "high": 0.1},
    "clip_norm": {"low": 0.5, "high": 2.0},
}


def voice(evidence: tuple = (), **changes) -> Space:
    data = load_space("voice").model_dump()
    augment = {"augment": {"copies": 1}} if "augmented" in changes else {}
    return Space.model_validate(
        {**data, "evidence": evidence, "draw": {**data["draw"], **changes}, "data": {**data["data"], **augment}}
    )


def domain(name: str) -> Any:
    """What a space may say of a field. Without a row in the table: all members of an enumeration, or for a number its
    default and another."""
    default = QwenDraw.model_fields[name].default
    if name in DOMAINS:
        return DOMAINS[name]
    if isinstance(default, StrEnum):
        return [str(member) for member in type(default)]
    return [default, default / 2 if isinstance(default, float) else default + 1]


@pytest.mark.parametrize("name", sorted(QwenDraw.model_fields.keys() - {"targets"}))
def test_every_field_of_a_draw_may_be_searched(name):
    space = voice(**{name: domain(name)})
    study = SearchStudy(space, 1, 12, CLIPS, BandTracker(space))
    values = [getattr(study.ask(str(number)), name) for number in range(12)]
    assert all(value in space.draw[name] for value in values)
    assert len(set(values)) > 1


def test_all_fields_may_be_searched_together():
    space = voice(**DOMAINS)
    study = SearchStudy(space, 1, 12, CLIPS, BandTracker(space))
    for number in range(12):
        drawn = study.ask(str(number))
        assert drawn.targets == space.objective[drawn.objective].targets
        study.tell(outcome(str(number), verdict=verdict([0.5]), drawn=drawn), ())
    assert all(trial.state is TrialState.COMPLETE for trial in study.study.trials)


def with_targets(*choices: str) -> Space:
    """Both objectives; the aligned one has several choices of LoRA targets."""
    data = load_space("voice").model_dump()
    aligned = {**data["objective"]["aligned"], "targets": list(choices)}
    return Space.model_validate({**data, "objective": {**data["objective"], "aligned": aligned}})


def test_targets_are_searched_under_the_objective_that_has_several():
    space = with_targets("attention", "linear")
    study = SearchStudy(space, 1, 30, CLIPS, BandTracker(space))
    found = set()
    for number in range(30):
        drawn = study.ask(str(number))
        found.add((drawn.objective, drawn.targets))
        asked = study.study.trials[-1].params
        assert asked == to_point(drawn, space)
        assert to_draw(space, asked) == drawn
        assert ("aligned.targets" in asked) == (drawn.objective is Objective.ALIGNED)
        heard = verdict([0.9 if drawn.targets == "linear" else 0.3])
        study.tell(outcome(str(number), verdict=heard, drawn=drawn), ())
    assert found == {("guide", "guide"), ("aligned", "attention"), ("aligned", "linear")}
    assert all(trial.state is TrialState.COMPLETE for trial in study.study.trials)


def test_a_resumed_search_adds_draws_of_either_objective():
    space = with_targets("attention", "linear")
    before, after = (SearchStudy(space, seed, 12, CLIPS, BandTracker(space)) for seed in (1, 2))
    for number in range(8):
        drawn = before.ask(str(number))
        after.tell(outcome(str(number), verdict=verdict([0.5]), drawn=drawn), ())
    assert [trial.params for trial in after.study.trials] == [trial.params for trial in before.study.trials]
    known = before.ask("8")
    assert after.ask("8", known) == known


@pytest.mark.parametrize("targets", [[], ["linear", "linear"], "", ["("]])
def test_impossible_targets_are_refused(targets):
    with pytest.raises(ValidationError, match="targets|regular expression"):
        with_targets(*targets) if isinstance(targets, list) else with_targets(targets)


def test_good_points_of_prior_runs_are_tried_first_and_are_no_trials_themselves():
    space = load_space("alexandria")
    study = SearchStudy(space, 1, 12, 121, BandTracker(space))
    assert study.study.trials == []
    rates = [study.ask(str(number)).lora_lr for number in range(4)]
    assert rates[:3] == [2e-6, 1e-6, 1e-5]
    assert rates[3] not in rates[:3]


def test_a_resumed_search_does_not_repeat_points_of_prior_runs():
    space = load_space("alexandria")
    tried = SearchStudy(space, 1, 12, 121, BandTracker(space)).ask("t000")
    study = SearchStudy(space, 2, 12, 121, BandTracker(space))
    study.tell(outcome("t000", verdict=verdict([0.5]), drawn=tried), ())
    assert study.ask("t001").lora_lr == 1e-6


@pytest.mark.parametrize(
    ("changes", "rates"),
    [
        ({}, [1e-5, 1e-6, 2e-6]),
        ({"rank": [8, 16]}, []),
        ({"lora_lr": {"low": 1.5e-6, "high": 5e-6, "log": True}}, [2e-6]),
        ({"lora_lr": 2e-6}, [2e-6]),
        ({"objective": "aligned"}, []),
    ],
)
def test_only_points_within_the_space_are_tried(changes, rates):
    evidence = load_space("alexandria").evidence
    space = voice(evidence, **changes)
    points = starting_points(space, 30)
    fixed = space.draw["lora_lr"].boundary_values()[0]
    assert [point.get("lora_lr", fixed) for point in points] == rates
    assert all(point["epochs"] == 15 for point in points)


def test_a_good_point_that_would_never_cross_is_not_tried():
    space = load_space("alexandria").model_copy(update={"draw": voice(epochs=3, objective="guide").draw})
    study = SearchStudy(space, 1, 12, 30, BandTracker(space))
    assert [study.ask(str(number)).lora_lr for number in range(2)] != [1e-5, 1e-6]


def test_the_guides_configurations_give_fourteen_judged_losses():
    judged = prior_losses(load_space("alexandria"), Objective.GUIDE)
    assert len(judged) == 14
    assert sorted(each.loss for each in judged if each.accepted) == [3.93, 4.11, 4.11, 4.17, 4.31]
    assert all((each.advice is None) == each.accepted for each in judged)
    assert prior_losses(load_space("alexandria"), Objective.ALIGNED) == []


def test_without_a_band_no_draw_is_screened_and_a_probed_trial_is_feasible():
    data = toy_space("model").model_dump(mode="json")
    space = Space.model_validate({**data, "objective": {"distance": {"band": "none"}}})
    study = SearchStudy(space, 1, 8, CLIPS, BandTracker(space))
    study.tell(outcome("t0", Ending.COMPLETED, verdict=verdict([0.9]), drawn=study.ask("t0")), ())
    (told,) = study.study.trials
    assert (told.state, told.value) == (TrialState.COMPLETE, 0.9)
    assert study.ask("t1").epochs >= 30


def test_draws_that_would_never_cross_are_not_proposed():
    space = voice(objective="guide")
    study = SearchStudy(space, 1, 40, CLIPS, BandTracker(space))
    slow = study.ask("t0").model_copy(update={"lora_lr": 2e-5, "epochs": 15, "rank": 32, "alpha_ratio": 2})
    curve = observed(linear(5.0, 4.15, 14), 14, CLIPS)
    study.tell(outcome("t0", Ending.HOPELESS, drawn=slow), curve)
    assert min(study.ask(f"t{number}").lora_lr for number in range(1, 20)) > 1e-5


def test_a_trial_without_an_outcome_has_failed_and_none_is_left_running():
    space = toy_space("model")
    study = SearchStudy(space, 1, 8, CLIPS, BandTracker(space))
    drawn = [study.ask(name) for name in ("t0", "t1")]
    study.tell_failed("t0")
    study.tell(outcome("t1", Ending.CANCELLED, drawn=drawn[1]), ())
    assert [trial.state for trial in study.study.trials] == [TrialState.FAIL, TrialState.FAIL]


def test_without_a_point_worth_starting_the_nearest_is_proposed():
    space = toy_space("model")
    asked = []

    def prospect(point) -> Prospect:
        asked.append(point["vector_lr"])
        return Prospect(1 + abs(point["vector_lr"] - 0.1), 1.0)

    study = SearchStudy(space, 1, 8, CLIPS, BandTracker(space))
    study.study.sampler = ScreenedSampler(make_sampler(1, 8), 1, shared_distributions(space), {}, prospect)
    assert study.ask("t0").vector_lr == min(asked, key=lambda rate: abs(rate - 0.1))
    assert len(asked) > 10


@pytest.mark.parametrize(
    "sampler",
    [
        SearchSampler(optuna.samplers.TPESampler(seed=1, n_startup_trials=2), conditional=False, redraws=False),
        SearchSampler(optuna.samplers.TPESampler(seed=1, n_startup_trials=2), conditional=False, redraws=True),
        SearchSampler(optuna.samplers.RandomSampler(seed=1), conditional=True, redraws=True),
    ],
    ids=["asked once", "asked again", "random"],
)
def test_any_sampler_is_screened_also_after_its_random_start(sampler, monkeypatch):
    monkeypatch.setattr("search.proposals.study.make_sampler", lambda seed, trials: sampler)
    space = with_targets("attention", "linear")
    study = SearchStudy(space, 1, 12, CLIPS, BandTracker(space))
    study.study.sampler._prospect = lambda point: Prospect(max(0.0, point["rank"] - 16), 1.0)
    targets = set()
    for number in range(12):
        drawn = study.ask(str(number))
        assert drawn.rank <= 16
        targets.add((drawn.objective, drawn.targets))
        study.tell(outcome(str(number), verdict=verdict([drawn.rank / 64]), drawn=drawn), ())
    assert len(targets) > 1


def test_the_journal_in_the_run_folder_is_the_study_and_starts_empty(tmp_path):
    space = toy_space("model")
    for process in range(2):
        study = SearchStudy(space, 1, 8, CLIPS, BandTracker(space), new_journal(tmp_path))
        for number in range(3):
            drawn = study.ask(f"t{process}{number}")
            heard = verdict([0.5 + number / 10])
            study.tell(outcome(f"t{process}{number}", verdict=heard, drawn=drawn), ())
        stored = optuna.load_study(
            study_name=STUDY, storage=JournalStorage(JournalFileBackend(str(tmp_path / JOURNAL)))
        )
        assert [trial.user_attrs[TRIAL] for trial in stored.trials] == [f"t{process}{number}" for number in range(3)]
        assert [trial.params for trial in stored.trials] == [trial.params for trial in study.study.trials]
        assert [trial.value for trial in stored.trials] == pytest.approx([0.5, 0.6, 0.7])
        (tmp_path / f"{JOURNAL}.lock").symlink_to(tmp_path / JOURNAL)
