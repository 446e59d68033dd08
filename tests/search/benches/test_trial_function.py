"""A real desk, real trial functions under a real Ray Tune, and a bench that the test plays itself."""

from __future__ import annotations

import io
import threading
import time
from contextlib import suppress

import pytest
import ray
from ray.exceptions import RayActorError
from rich.console import Console

from results.run.ledger import BaseProbed, Ledger, read_ledger
from results.run.run_folder import RunFolder
from search.benches.bench_executor import BenchExecutor, benched
from search.benches.messages import BenchReport
from search.benches.seat_queue import ONE_SEAT
from search.console.plain import PlainView
from search.driver import bench_spec
from search.planning.layout import BenchLayout
from search.proposals.budget import BudgetTracker
from search.tuning.run_trials import config_of, job_of, run_trials
from spaces.draw import Objective
from spaces.records.trial import Ending, Phase
from spaces.records.trial_spec import TrialSpec
from tests.support.left_behind import assert_nothing_is_left
from tests.support.made_runs import base, draw, outcome, point, started, write_curve
from tests.support.toy_search import toy_plan
from trainable.files.trial_folder import TrialFolder
from trainable.training.events import Event, Failed, Finished, Lost, Progress

pytestmark = pytest.mark.usefixtures("local_ray")
CLIPS, STEPS_PER_EPOCH = 48, 12
"""As a crafted point counts them."""
DISOBEYS, LOSES, STARVES, ENDS = "t000", "t001", "t002", "t003"
"""What becomes of each trial: it never ends by itself, loses its seat once, does not fit, ends as it should."""


class PlayedBench(threading.Thread):
    """A bench of one seat that does with each trial what the test is about."""

    def __init__(self, way: BenchExecutor, run: RunFolder) -> None:
        super().__init__(daemon=True)
        self._desk, self._run_folder = way.desk, run
        self._seated: TrialSpec | None = None
        self._has_lost = False
        self._step = 0
        self.dismissed: list[str] = []

    def run(self) -> None:
        with suppress(RayActorError):
            self._serve()

    def _serve(self) -> None:
        """Until the desk is gone."""
        opening = ray.get(self._desk.open.remote("played", "no node"))
        events: list[Event] = []
        while True:
            seated = (self._seated.trial,) if self._seated else ()
            poll = self._desk.poll.remote("played", opening.generation, BenchReport(1, seated, tuple(events)))
            answer, events = ray.get(poll), []
            if answer.dismissed:
                self.dismissed += answer.dismissed
                self._seated = None
            for text in answer.jobs:
                self._seated, self._step = TrialSpec.model_validate_json(text), 0
            if self._seated:
                events = self._advance(self._seated)
                if not all(isinstance(event, Progress) for event in events):
                    self._seated = None
                time.sleep(0.02)

    def _advance(self, job: TrialSpec) -> list[Event]:
        self._step += 3
        points = [point(step, max(0.6, 6.0 - 0.05 * step)) for step in range(self._step + 1)]
        write_curve(self._run_folder, job.trial, points)
        said: Event = Progress(job.trial, points[-1], Phase.TRAINING)
        if job.trial == LOSES and not self._has_lost:
            self._has_lost = True
            return [said, Lost(job.trial, "the storage failed")]
        if job.trial == STARVES:
            return [said, Failed(job.trial, ONE_SEAT)]
        if job.trial != DISOBEYS:
            ended = outcome(job.trial, Ending.EXHAUSTED, drawn=job.draw)
            TrialFolder(job.path).write_outcome(ended)
            return [said, Finished(job.trial, ended)]
        return [said]


def no_bench(at_once: int) -> BenchLayout:
    """A desk that launches nothing."""
    return BenchLayout(
        at_once,
        initial_benches=0,
        max_benches=0,
        seats=1,
        force_seats=True,
        memory=None,
        has_gpu=False,
        workers=1,
        worker={},
        threads=1,
    )


def test_whatever_becomes_of_a_trial_its_seat_is_free_for_the_next(tmp_path):
    """The stopper ends the first in mid-flight, and its process serves the others."""
    # One that is cancelled is drawn once more.
    plan = toy_plan(tmp_path, trials=3, epochs=60)
    ledger, layout = Ledger(plan.run.ledger), no_bench(at_once=1)
    for entry in (started(), BaseProbed(outcome=base([0.5, 0.5]))):
        ledger.append(entry)
    said = io.StringIO()
    with benched(layout, bench_spec(plan, layout), plan.run.ray, tmp_path / "stop") as way:
        bench = PlayedBench(way, plan.run)
        bench.start()
        view = PlainView(Console(file=said, width=200))
        history, spending = read_ledger(plan.run.ledger), BudgetTracker(plan.budget)
        run_trials(plan, CLIPS, way, ledger, view, history, spending, tmp_path / "stop")
    history = read_ledger(plan.run.ledger)
    assert {trial: ended.ending for trial, ended in history.outcomes.items()} == {
        DISOBEYS: Ending.CANCELLED,
        LOSES: Ending.EXHAUSTED,
        STARVES: Ending.FAILED,
        ENDS: Ending.EXHAUSTED,
    }
    assert bench.dismissed == [DISOBEYS]
    assert history.outcomes[STARVES].reason == ONE_SEAT
    assert f"{LOSES} starts again" in said.getvalue()
    assert_nothing_is_left()


def test_a_trial_function_knows_nothing_of_torch(tmp_path):
    layout, plan = no_bench(at_once=1), toy_plan(tmp_path)
    stop_file = tmp_path / "stop"
    stop_file.touch()
    config = config_of(job_of(plan, "t000", draw(), plan.space.band(Objective.ALIGNED)))

    def run_it(desk) -> tuple[list[str], set[str]]:
        """A nested function takes nothing of this module along."""
        import sys

        from ray import tune

        from search.benches.trial_function import trial_function

        reported = []
        tune.report = reported.append
        trial_function(desk)(config)
        return [result["ending"] for result in reported], set(sys.modules)

    with benched(layout, bench_spec(plan, layout), tmp_path, stop_file) as way:
        endings, modules = ray.get(ray.remote(num_cpus=0, max_calls=1)(run_it).remote(way.desk))
    assert endings == ["cancelled"]
    assert "torch" not in modules and "search.benches.trial_function" in modules
