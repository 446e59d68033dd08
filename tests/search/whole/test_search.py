"""Whole searches of the toy family on a local Ray survive faults, kills and Ctrl-C without losing a trial."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from rich.console import Console

from results.run.ledger import TrialDrawn, TrialEnded, read_ledger
from search import driver as search_driver
from search.checking.checks import check_plan
from search.console.after import DONE, INTERRUPTED, SearchEnd
from search.planning.plan import CheckedData, Plan
from spaces.families import read_draw
from spaces.records.trial import BASE, Ending, Outcome
from tests.support import frail_family
from tests.support.paths import ROOT
from tests.support.toy_search import BAND, equal_parts, run_alone, toy_plan
from tests.support.whole_search import PRINTED, STATES, plan_in
from trainable.files.trial_folder import TrialFolder

pytestmark = pytest.mark.ray
PATIENCE_SECONDS = 120
TRIALS = ("t000", "t001", "t002")


def run_search(plan: Plan, checked: CheckedData) -> tuple[SearchEnd, str]:
    said = io.StringIO()
    finish = search_driver.run_search(plan, checked, Console(file=said, width=200))
    return finish, said.getvalue()


def entries(plan: Plan, entry: str) -> list[str]:
    """The trials of all ledger entries of this kind, in order."""
    lines = plan.run.ledger.read_text().splitlines()
    kinds = {"trial_drawn": TrialDrawn, "trial_ended": TrialEnded}
    found = [kinds[entry].model_validate_json(line) for line in lines if f'"entry":"{entry}"' in line]
    return [each.trial if isinstance(each, TrialDrawn) else each.outcome.trial for each in found]


def test_a_search_survives_a_killed_worker_and_a_draw_that_always_fails(whole_search, tmp_path):
    work = whole_search / "work"
    plan, said = plan_in(work), (work / PRINTED).read_text()
    history = read_ledger(plan.run.ledger)
    assert (history.problems, history.running) == ((), ())
    assert sorted(entries(plan, "trial_drawn")) == sorted(entries(plan, "trial_ended")) == [*TRIALS]
    failed = [outcome for outcome in history.outcomes.values() if outcome.ending is Ending.FAILED]
    assert [outcome.reason for outcome in failed] == ["ValueError: this draw is doomed"]
    assert failed[0].draw == read_draw(json.loads((plan.run.path / frail_family.DOOMED).read_text()))
    others = [outcome for outcome in history.outcomes.values() if outcome not in failed]
    assert [outcome.ending for outcome in others] == [Ending.IN_BAND] * 2

    assert (plan.run.path / frail_family.KILLED).exists()
    assert (plan.run.path / frail_family.RESUMED).exists()
    for outcome in others:
        points = TrialFolder(plan.run.trial(outcome.trial)).read_points()
        assert [point.step for point in points] == list(range(len(points)))
        assert equal_parts(outcome) == equal_parts(run_alone(plan, outcome, tmp_path))

    assert sorted(json.loads((work / STATES).read_text())) == ["COMPLETE", "COMPLETE", "FAIL"]
    assert history.base is not None and history.base.verdict is not None
    finalists = history.confirmations.keys() - {BASE}
    assert len(finalists) == 1 and finalists < {outcome.trial for outcome in others}
    assert (plan.run.best / "sample.wav").is_file()
    assert {path.name for path in plan.run.tensorboard.iterdir()} == {"base", *TRIALS}
    assert "Trials: one at a time on one base" in said
    assert "Traceback" not in said and "\x1b" not in said
    assert "ValueError: this draw is doomed" in said


@pytest.mark.usefixtures("local_ray")
def test_a_search_goes_on_after_ctrl_c(tmp_path):
    plan = toy_plan(tmp_path, "tests.support.frail_family", trials=2, vector_lr=0.05)
    _, checked = check_plan(plan)
    slow = plan.run.path / frail_family.SLOW
    slow.touch()
    watch = threading.Thread(target=press_ctrl_c_when, args=(lambda: has_checkpoint(plan),))
    watch.start()
    finish, said = run_search(plan, checked)
    watch.join()
    interrupted = read_ledger(plan.run.ledger)
    assert finish.exit_code == INTERRUPTED
    assert interrupted.ended == "interrupted"
    assert "starts" in said and "Ctrl-C" in said
    cancelled = [outcome for outcome in interrupted.outcomes.values() if outcome.ending is Ending.CANCELLED]
    assert cancelled and not (plan.run.path / "best").exists()

    slow.unlink()
    assert_resumed_to_the_end(dataclasses.replace(plan, resume=True), cancelled)


@pytest.mark.soak
@pytest.mark.usefixtures("local_ray")
def test_a_search_goes_on_after_its_driver_is_killed(tmp_path):
    plan = toy_plan(tmp_path, "tests.support.frail_family", trials=3, vector_lr=0.05)
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: has_checkpoint(plan), driver)
    finally:
        driver.kill()
        driver.wait()
    before = read_ledger(plan.run.ledger)
    assert before.drawn and not before.outcomes
    (plan.run.path / frail_family.SLOW).unlink()
    assert_resumed_to_the_end(dataclasses.replace(plan, resume=True), [])
    assert (plan.run.path / frail_family.RESUMED).exists()


def assert_resumed_to_the_end(plan: Plan, cancelled: list[Outcome]) -> None:
    """Resumes the search: every trial ends once, and draws of cancelled trials are tried again."""
    finish, _ = run_search(*check_plan(plan))
    history = read_ledger(plan.run.ledger)
    assert (finish.exit_code, history.problems, history.running) == (DONE, (), ())
    ended = entries(plan, "trial_ended")
    assert len(ended) == len(set(ended)) == len(history.drawn)
    tried = [outcome for outcome in history.outcomes.values() if outcome.ending is not Ending.CANCELLED]
    assert len(tried) == plan.budget.trials
    assert {outcome.draw for outcome in tried} >= {outcome.draw for outcome in cancelled}
    assert all(BAND[0] <= outcome.kept.loss <= BAND[1] for outcome in tried)


def has_checkpoint(plan: Plan) -> bool:
    return any(plan.run.trials.glob("*/checkpoints/step-*"))


DRIVER = """
import sys
from pathlib import Path
from rich.console import Console
from search.checking.checks import check_plan
from search.driver import run_search
from tests.support.frail_family import SLOW
from tests.support.toy_search import toy_plan

plan = toy_plan(Path(sys.argv[1]), "tests.support.frail_family", trials=3, vector_lr=0.05)
_, checked = check_plan(plan)
(plan.run.path / SLOW).touch()
run_search(plan, checked, Console())
"""


def press_ctrl_c_when(happens) -> None:
    wait_until(happens)
    os.kill(os.getpid(), signal.SIGINT)


def wait_until(happens, process: subprocess.Popen | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happens():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s"
        assert process is None or process.poll() is None, "the driver has ended"
        time.sleep(0.1)
