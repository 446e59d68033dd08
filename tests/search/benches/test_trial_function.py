"""The broker and trial functions under Ray Tune, with a bench that is a thread of the test."""

from __future__ import annotations

import dataclasses
import io
import threading
import time
from contextlib import suppress

import pytest
import ray
from ray.exceptions import RayActorError
from rich.console import Console

from results.run.ledger import BaseProbed, Ledger, TrialDrawn, read_ledger
from results.run.run_folder import RunFolder
from search.benches.bench_executor import BenchExecutor, open_benches
from search.benches.messages import BenchReport
from search.benches.seat_queue import ONE_SEAT
from search.console.plain import PlainView
from search.driver import bench_spec
from search.planning.layout import BenchLayout
from search.proposals.bands import BandTracker
from search.proposals.budget import BudgetTracker
from search.proposals.study import SearchStudy
from search.tuning.run_trials import run_trials
from search.tuning.searcher import trial_spec
from search.tuning.tune_report import event_of, tune_config
from spaces.records.trial import Ending, Phase
from spaces.records.trial_spec import TrialSpec
from spaces.storage_uri import Storage
from tests.support.left_behind import assert_nothing_is_left
from tests.support.made_runs import base, draw, outcome, point, started, write_curve
from tests.support.toy_search import toy_plan
from trainable.files.mirror import push
from trainable.files.trial_folder import TrialFolder
from trainable.training.events import Event, Failed, Finished, Lost, Progress

pytestmark = pytest.mark.usefixtures("local_ray")
CLIPS, STEPS_PER_EPOCH = 48, 12
"""As a crafted point counts them."""
DISOBEYS, LOSES, STARVES, ENDS = "t000", "t001", "t002", "t003"
"""One trial trains on for ever, one loses its seat once, one does not fit into memory, and one ends as it should."""


class FakeBench(threading.Thread):
    """A bench of one seat whose trials meet the fates above."""

    def __init__(self, executor: BenchExecutor, run: RunFolder) -> None:
        super().__init__(daemon=True)
        self._broker, self._run_folder = executor.broker, run
        self._seated: TrialSpec | None = None
        self._has_lost = False
        self._step = 0
        self.dismissed: list[str] = []

    def run(self) -> None:
        with suppress(RayActorError):
            self._serve()

    def _serve(self) -> None:
        """Until the broker is gone."""
        lease = ray.get(self._broker.register_bench.remote("fake", "no node"))
        events: list[Event] = []
        while True:
            seated = (self._seated.trial,) if self._seated else ()
            poll = self._broker.poll.remote("fake", lease.generation, BenchReport(1, seated, tuple(events)))
            command, events = ray.get(poll), []
            if command.dismissed:
                self.dismissed += command.dismissed
                self._seated = None
            for spec in command.trial_specs:
                self._seated, self._step = spec, 0
            if self._seated:
                events = self._advance(self._seated)
                if not all(isinstance(event, Progress) for event in events):
                    self._seated = None
                time.sleep(0.02)

    def _advance(self, spec: TrialSpec) -> list[Event]:
        self._step += 3
        points = [point(step, max(0.6, 6.0 - 0.05 * step)) for step in range(self._step + 1)]
        write_curve(self._run_folder, spec.trial, points)
        progress: Event = Progress(spec.trial, points[-1], Phase.TRAINING)
        if spec.trial == LOSES and not self._has_lost:
            self._has_lost = True
            return [progress, Lost(spec.trial, "its bench is gone")]
        if spec.trial == STARVES:
            return [progress, Failed(spec.trial, ONE_SEAT)]
        if spec.trial != DISOBEYS:
            ended = outcome(spec.trial, Ending.EXHAUSTED, drawn=spec.draw)
            TrialFolder(spec.path).write_outcome(ended)
            return [progress, Finished(spec.trial, ended)]
        return [progress]


def no_bench(at_once: int) -> BenchLayout:
    """A layout that makes the broker launch no bench."""
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


def test_however_a_trial_ends_its_seat_is_free_for_the_next(tmp_path):
    """The stopper ends the first while it trains, and its process serves the others."""
    # One that is cancelled is drawn once more.
    plan = toy_plan(tmp_path, trials=3, epochs=60)
    ledger, layout = Ledger(plan.run.ledger), no_bench(at_once=1)
    for entry in (started(), BaseProbed(outcome=base([0.5, 0.5], None))):
        ledger.append(entry)
    said = io.StringIO()
    with open_benches(layout, bench_spec(plan, layout), plan.run.ray, plan.run.stop_file) as executor:
        bench = FakeBench(executor, plan.run)
        bench.start()
        view = PlainView(Console(file=said, width=200))
        history, budget = read_ledger(plan.run.ledger), BudgetTracker(plan.budget)
        run_trials(plan, CLIPS, executor, view, history, budget)
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


def test_an_outcome_that_a_killed_search_did_not_record_is_recorded_when_it_is_resumed(tmp_path):
    """Its trial is not run again. The outcome is in storage only, since a bench on another node has written it."""
    plan = dataclasses.replace(toy_plan(tmp_path, trials=1), storage=f"file://{tmp_path}/storage")
    ledger, layout, space = Ledger(plan.run.ledger), no_bench(at_once=1), plan.space
    there = RunFolder(tmp_path / "there")
    draw_of_t000 = SearchStudy(space, 1, 1, CLIPS, BandTracker(space)).ask("t000")
    ended = outcome("t000", Ending.EXHAUSTED, drawn=draw_of_t000)
    TrialFolder(there.trial("t000")).write_outcome(ended)
    push(Storage(root=there.path, uri=plan.storage), there.trial("t000"))
    for entry in (started(), BaseProbed(outcome=base([0.5], None)), TrialDrawn(trial="t000", draw=draw_of_t000)):
        ledger.append(entry)
    with open_benches(layout, bench_spec(plan, layout), plan.run.ray, plan.run.stop_file) as executor:
        view, budget = PlainView(Console(file=io.StringIO())), BudgetTracker(plan.budget)
        run_trials(plan, CLIPS, executor, view, read_ledger(plan.run.ledger), budget)
    history = read_ledger(plan.run.ledger)
    assert history.outcomes == {"t000": ended} and history.drawn.keys() == {"t000"}
    assert history.problems == () and budget.trials_left == 0


def test_a_trial_function_imports_no_torch(tmp_path):
    layout, plan = no_bench(at_once=1), toy_plan(tmp_path)
    stop_file = tmp_path / "stop"
    stop_file.touch()
    registered = dataclasses.replace(plan, family="trainable.qwen3_tts.family")
    config = tune_config(trial_spec(registered, "t000", draw(), plan.space.band("distance")))

    def run_it(broker) -> tuple[list[str], set[str]]:
        """Nested, so that Ray pickles it without this module."""
        import sys

        from ray import tune

        from search.benches.trial_function import trial_function

        reported = []
        tune.report = reported.append
        trial_function(broker)(config)
        return reported, set(sys.modules)

    with open_benches(layout, bench_spec(plan, layout), tmp_path, stop_file) as executor:
        reported, modules = ray.get(ray.remote(num_cpus=0, max_calls=1)(run_it).remote(executor.broker))
    assert [event_of(result).outcome.ending for result in reported] == [Ending.CANCELLED]
    assert "torch" not in modules and "search.benches.trial_function" in modules
