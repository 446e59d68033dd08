"""Searches on benches whose processes are killed: trials go on where they were, each ends once, nothing leaks."""

from __future__ import annotations

import io
import os
import signal
import threading
import time

import pytest
import ray
from ray.util.state import list_actors
from ray.util.state.common import ActorState
from rich.console import Console

from results.run.ledger import TrialDrawn, TrialEnded, read_ledger
from search import driver
from search.checking.checks import check_plan
from search.console.after import DONE
from search.planning.plan import Plan
from spaces.records.trial import Ending
from tests.support import frail_family
from tests.support.left_behind import assert_nothing_is_left
from tests.support.toy_search import toy_plan
from trainable.files.trial_folder import TrialFolder

pytestmark = [pytest.mark.usefixtures("local_ray"), pytest.mark.soak]
PATIENCE_SECONDS = 120
FUNCTION, CONTROLLER, WORKER, BROKER = "ImplicitFunc", "TrainController", "RayTrainWorker", "BenchBroker"
"""Names of a search's actors in Ray."""


def test_a_search_survives_whatever_of_it_is_killed(tmp_path):
    plan = toy_plan(tmp_path, "tests.support.frail_family", trials=6, vector_lr=0.03)
    _, dataset = check_plan(plan)
    slow = plan.run.path / frail_family.SLOW
    slow.touch()
    killed: list[str] = []

    def kill_in_turn() -> None:
        for name in (FUNCTION, WORKER, CONTROLLER, BROKER):
            wait_for_training(plan)
            kill(name)
            killed.append(name)
        wait_for_training(plan)
        slow.unlink()

    killer = threading.Thread(target=kill_in_turn)
    killer.start()
    said = io.StringIO()
    finish = driver.run_search(plan, dataset, Console(file=said, width=200))
    killer.join()

    history = read_ledger(plan.run.ledger)
    assert killed == [FUNCTION, WORKER, CONTROLLER, BROKER]
    assert (finish.exit_code, history.problems, history.running) == (DONE, (), ())
    assert [outcome.ending for outcome in history.outcomes.values()] == [Ending.IN_BAND] * 6
    for entry, kind in (("trial_drawn", TrialDrawn), ("trial_ended", TrialEnded)):
        lines = [line for line in plan.run.ledger.read_text().splitlines() if f'"entry":"{entry}"' in line]
        assert len(lines) == 6, kind
    for trial in history.outcomes:
        points = TrialFolder(plan.run.trial(trial)).read_points()
        assert [point.step for point in points] == list(range(len(points)))
    assert (plan.run.path / frail_family.RESUMED).exists()
    assert "starts again" in said.getvalue()
    assert_nothing_is_left()


def wait_for_training(plan: Plan) -> None:
    """Until a running trial has written a checkpoint and some steps more, which a kill loses."""
    lengths: dict[str, int] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        for folder in plan.run.trials.glob("*"):
            trial, has_checkpoint = TrialFolder(folder), any(folder.glob("checkpoints/step-*"))
            length = len(trial.read_points())
            if has_checkpoint and trial.read_outcome() is None and 0 < lengths.setdefault(folder.name, length) < length:
                return
        assert time.monotonic() < deadline, "no trial makes progress"
        time.sleep(0.05)


def kill(name: str) -> None:
    here, deadline = ray.get_runtime_context().gcs_address, time.monotonic() + PATIENCE_SECONDS
    while not (
        found := [
            actor for actor in list_actors(here, detail=True) if is_alive(actor) and actor.class_name.endswith(name)
        ]
    ):
        assert time.monotonic() < deadline, f"no {name} among {[actor.class_name for actor in list_actors(here)]}"
        time.sleep(0.1)
    os.kill(found[0].pid, signal.SIGKILL)


def is_alive(actor: ActorState) -> bool:
    return actor.state == "ALIVE" and actor.pid
