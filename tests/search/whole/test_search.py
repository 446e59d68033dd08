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
from optuna.trial import TrialState
from rich.console import Console

from results.run.ledger import TrialDrawn, TrialEnded, read_ledger
from search import driver as search_driver
from search.checking.checks import check_plan
from search.console.after import DONE, INTERRUPTED, SearchEnd
from search.planning.plan import Plan
from search.tuning import run_trials
from search.tuning.searcher import DrawSearcher
from spaces.families import read_draw
from spaces.records.trial import BASE, Ending
from tests.support import frail_family
from tests.support.paths import ROOT
from tests.support.toy_search import BAND, toy_plan
from trainable.files.trial_folder import TrialFolder

pytestmark = pytest.mark.usefixtures("local_ray")
PATIENCE_SECONDS = 120
TRIALS = ("t000", "t001", "t002", "t003")


def run_search(plan: Plan) -> tuple[SearchEnd, str]:
    said = io.StringIO()
    finish = search_driver.run_search(plan, check_plan(plan), Console(file=said, width=200))
    return finish, said.getvalue()


def entries(plan: Plan, entry: str) -> list[str]:
    """The trials of all ledger entries of this kind, in order."""
    lines = plan.run.ledger.read_text().splitlines()
    kinds = {"trial_drawn": TrialDrawn, "trial_ended": TrialEnded}
    found = [kinds[entry].model_validate_json(line) for line in lines if f'"entry":"{entry}"' in line]
    return [each.trial if isinstance(each, TrialDrawn) else each.outcome.trial for each in found]


def test_a_search_survives_a_killed_worker_and_a_draw_that_always_fails(tmp_path, monkeypatch):
    searchers: list[DrawSearcher] = []
    monkeypatch.setattr(
        run_trials, "DrawSearcher", lambda *args, **more: searchers.append(DrawSearcher(*args, **more)) or searchers[0]
    )
    plan = toy_plan(tmp_path, "tests.support.frail_family", trials=4, finalists=2)
    dataset = check_plan(plan)
    for fault in (frail_family.DOOM, frail_family.KILL):
        (plan.run.path / fault).touch()
    said = io.StringIO()
    finish = search_driver.run_search(plan, dataset, Console(file=said, width=200))

    history = read_ledger(plan.run.ledger)
    assert (finish.exit_code, history.problems, history.running) == (DONE, (), ())
    assert sorted(entries(plan, "trial_drawn")) == sorted(entries(plan, "trial_ended")) == [*TRIALS]
    failed = [outcome for outcome in history.outcomes.values() if outcome.ending is Ending.FAILED]
    assert [outcome.reason for outcome in failed] == ["ValueError: this draw is doomed"]
    assert failed[0].draw == read_draw(json.loads((plan.run.path / frail_family.DOOMED).read_text()))
    assert all(outcome.ending is Ending.IN_BAND for outcome in history.outcomes.values() if outcome not in failed)

    assert (plan.run.path / frail_family.KILLED).exists()
    assert (plan.run.path / frail_family.RESUMED).exists()
    for trial in history.outcomes.keys() - {failed[0].trial}:
        points = TrialFolder(plan.run.trial(trial)).read_points()
        assert [point.step for point in points] == list(range(len(points)))

    states = [trial.state for trial in searchers[0].study.trials]
    assert sorted(states) == [*[TrialState.COMPLETE] * 3, TrialState.FAIL]
    assert history.base is not None and history.base.verdict is not None
    finalists = history.confirmations.keys() - {BASE}
    assert len(finalists) == 2 and finalists < history.outcomes.keys() - {failed[0].trial}
    assert (plan.run.best / "sample.wav").is_file()
    assert {path.name for path in plan.run.tensorboard.iterdir()} == {"base", *TRIALS}
    assert "Traceback" not in said.getvalue() and "\x1b" not in said.getvalue()
    assert "ValueError: this draw is doomed" in said.getvalue()


def test_a_search_goes_on_after_the_driver_is_killed_and_after_ctrl_c(tmp_path):
    plan = toy_plan(tmp_path, "tests.support.frail_family", trials=3, vector_lr=0.05)
    slow = plan.run.path / frail_family.SLOW

    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: any(plan.run.trials.glob("*/checkpoints/step-*")), driver)
    finally:
        driver.kill()
        driver.wait()
    before = read_ledger(plan.run.ledger)
    assert before.drawn and not before.outcomes

    again = dataclasses.replace(plan, resume=True)
    watch = threading.Thread(target=press_ctrl_c_when_training, args=(plan,))
    watch.start()
    finish, said = run_search(again)
    watch.join()
    interrupted = read_ledger(plan.run.ledger)
    assert finish.exit_code == INTERRUPTED
    assert interrupted.ended == "interrupted"
    assert "starts" in said and "Ctrl-C" in said
    cancelled = [outcome for outcome in interrupted.outcomes.values() if outcome.ending is Ending.CANCELLED]
    assert cancelled and not (plan.run.path / "best").exists()

    slow.unlink()
    finish, _ = run_search(again)
    history = read_ledger(plan.run.ledger)
    assert (finish.exit_code, history.problems, history.running) == (DONE, (), ())
    ended = entries(plan, "trial_ended")
    assert len(ended) == len(set(ended)) == len(history.drawn)
    tried = [outcome for outcome in history.outcomes.values() if outcome.ending is not Ending.CANCELLED]
    assert len(tried) == plan.budget.trials
    assert {outcome.draw for outcome in tried} >= {outcome.draw for outcome in cancelled}
    assert all(BAND[0] <= outcome.kept.loss <= BAND[1] for outcome in tried)


DRIVER = """
import sys
from pathlib import Path
from rich.console import Console
from search.checking.checks import check_plan
from search.driver import run_search
from tests.support.frail_family import SLOW
from tests.support.toy_search import toy_plan

plan = toy_plan(Path(sys.argv[1]), "tests.support.frail_family", trials=3, vector_lr=0.05)
checked = check_plan(plan)
(plan.run.path / SLOW).touch()
run_search(plan, checked, Console())
"""


def press_ctrl_c_when_training(plan: Plan) -> None:
    """Once a trial has resumed from its checkpoint, which workers that the kill has orphaned never do."""
    resumed = plan.run.path / frail_family.RESUMED
    wait_until(resumed.exists)
    os.kill(os.getpid(), signal.SIGINT)


def wait_until(happens, process: subprocess.Popen | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happens():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s"
        assert process is None or process.poll() is None, "the driver has ended"
        time.sleep(0.1)
