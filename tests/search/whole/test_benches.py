"""Whole searches on benches and in isolated processes: trials end as they would alone, and nothing is left in Ray."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from results.run.ledger import History, read_ledger
from search import driver
from search.benches.bench_executor import open_benches
from search.benches.seat_queue import DEADLY
from search.checking.checks import check_plan
from search.cluster.failure import LostError
from search.driver import bench_spec
from search.planning.execution_mode import ExecutionMode
from search.planning.layout import BenchLayout
from search.planning.plan import Plan
from spaces.errors import InputError
from spaces.families import read_draw
from spaces.records.trial import Ending
from tests.support import frail_family, hungry_family
from tests.support.left_behind import assert_nothing_is_left
from tests.support.toy_search import equal_parts, run_alone, toy_plan

pytestmark = pytest.mark.usefixtures("local_ray")


def search(plan: Plan, **files: str) -> tuple[History, str]:
    """Runs the search; returns its ledger and its output. `files` are written to the run's folder before it starts."""
    said, (_, dataset) = io.StringIO(), check_plan(plan)
    for name, text in files.items():
        (plan.run.path / name).write_text(text)
    driver.run_search(plan, dataset, Console(file=said, width=200))
    return read_ledger(plan.run.ledger), said.getvalue()


@pytest.mark.parametrize("trials", [1, pytest.param(3, marks=pytest.mark.soak)])
def test_isolated_processes_train_what_one_process_would(tmp_path, trials):
    plan = dataclasses.replace(toy_plan(tmp_path, trials=trials, dropout=0.1), mode=ExecutionMode(isolate=True))
    history, said = search(plan)
    assert "Trials: one process per trial" in said
    assert [outcome.ending for outcome in history.outcomes.values()] == [Ending.IN_BAND] * trials
    for outcome in history.outcomes.values():
        assert equal_parts(outcome) == equal_parts(run_alone(plan, outcome, tmp_path))
    assert history.base.verdict is not None
    assert_nothing_is_left()


@pytest.mark.soak
def test_a_bench_that_runs_out_of_memory_gets_fewer_seats_and_every_trial_ends(tmp_path):
    plan = dataclasses.replace(toy_plan(tmp_path, "tests.support.hungry_family", trials=5), mode=ExecutionMode(seats=4))
    history, _ = search(plan, **{hungry_family.HOLDS: "2"})
    assert [outcome.ending for outcome in history.outcomes.values()] == [Ending.IN_BAND] * 5
    assert (plan.run.path / hungry_family.GRANTED).read_text().split() == ["4", "2"]


@pytest.mark.soak
def test_two_workers_train_what_one_process_would(tmp_path, monkeypatch):
    """Each has one of the two clips of a step; only the order of sums differs."""
    layout = laid_out(seats=2, workers=2, worker={"CPU": 0.8})
    monkeypatch.setattr(driver, "lay_out_benches", lambda *asked: layout)
    plan = toy_plan(tmp_path, trials=2)
    together = search(plan)[0].outcomes
    assert together.keys() == {"t000", "t001"}
    for outcome in together.values():
        alone = run_alone(plan, outcome, tmp_path)
        assert (outcome.ending, outcome.point.step) == (alone.ending, alone.point.step)
        assert outcome.point.loss == pytest.approx(alone.point.loss, rel=1e-5)
        assert outcome.verdict.score == pytest.approx(alone.verdict.score, abs=1e-3)
    assert_nothing_is_left()


@pytest.mark.soak
def test_a_draw_that_kills_its_bench_fails_by_itself_and_costs_three_starts(tmp_path):
    plan = dataclasses.replace(toy_plan(tmp_path, "tests.support.frail_family", trials=6), mode=ExecutionMode(seats=4))
    history, _ = search(plan, **{frail_family.POISON: ""})
    deaths = (plan.run.path / frail_family.POISONED).read_text().splitlines()
    poison = read_draw(json.loads(deaths[0]))
    (failed,) = [outcome for outcome in history.outcomes.values() if outcome.draw == poison]
    assert (failed.ending, failed.reason) == (Ending.FAILED, DEADLY) and len(deaths) <= 3
    others = [outcome.ending for outcome in history.outcomes.values() if outcome is not failed]
    assert others == [Ending.IN_BAND] * 5
    assert_nothing_is_left()


@pytest.mark.soak
def test_more_benches_are_launched_while_trials_wait(tmp_path, monkeypatch):
    layout = laid_out(seats=1, worker={"CPU": 0.8}, max_benches=2)
    monkeypatch.setattr(driver, "lay_out_benches", lambda *asked: layout)
    plan = toy_plan(tmp_path, "tests.support.frail_family", trials=4, vector_lr=0.08)
    history, _ = search(plan, **{frail_family.SLOW: ""})
    assert [outcome.ending for outcome in history.outcomes.values()] == [Ending.IN_BAND] * 4
    assert len(list(plan.run.ray.glob("bench-*"))) == 2


@pytest.mark.soak
def test_a_bench_that_waits_for_its_cpus_in_vain_delays_no_trial_and_is_not_left_behind(tmp_path, monkeypatch):
    layout = laid_out(seats=1, worker={"CPU": 1.8}, max_benches=2)
    monkeypatch.setattr(driver, "lay_out_benches", lambda *asked: layout)
    plan = toy_plan(tmp_path, trials=3)
    history, _ = search(plan)
    assert [outcome.ending for outcome in history.outcomes.values()] == [Ending.IN_BAND] * 3
    assert_nothing_is_left()


def test_tasks_return_raise_report_progress_and_run_again_when_their_bench_dies(tmp_path):
    layout = laid_out(seats=1)
    progress = []
    with open_benches(layout, bench_spec(toy_plan(tmp_path), layout), tmp_path, tmp_path / "stop") as executor:
        assert executor.run_task(functools.partial(divide, 6, 3), lambda *update: progress.append(update)) == 2
        assert progress == [("dividing", 1, 2)]
        with pytest.raises(InputError, match="by nothing"):
            executor.run_task(functools.partial(divide, 6, 0), lambda *update: None)
        assert executor.run_task(functools.partial(die_so_often, tmp_path / "once", 1), lambda *update: None) == "alive"
    assert_nothing_is_left()


@pytest.mark.soak
def test_a_task_whose_bench_dies_every_time_is_lost(tmp_path):
    layout = laid_out(seats=1)
    spec = bench_spec(toy_plan(tmp_path), layout)
    with (
        open_benches(layout, spec, tmp_path, tmp_path / "stop") as executor,
        pytest.raises(LostError, match="process died"),
    ):
        executor.run_task(functools.partial(die_so_often, tmp_path / "always", 9), lambda *update: None)
    assert_nothing_is_left()


def divide(number: int, by: int, on_progress) -> int:
    on_progress("dividing", 1, 2)
    if by == 0:
        raise InputError("cannot be divided by nothing")
    return number // by


def die_so_often(marks: Path, times: int, on_progress) -> str:
    marks.mkdir(exist_ok=True)
    before = len(list(marks.iterdir()))
    if before < times:
        (marks / str(before)).touch()
        os._exit(1)
    return "alive"


def laid_out(**changes) -> BenchLayout:
    """One bench on two CPUs, unless `changes` say otherwise."""
    asked = {"workers": 1, "worker": {"CPU": 1.8}, "seats": 2, "max_benches": 1, **changes}
    at_once = asked["seats"] * asked["max_benches"]
    return BenchLayout(at_once, initial_benches=1, force_seats=True, memory=None, has_gpu=False, threads=1, **asked)
