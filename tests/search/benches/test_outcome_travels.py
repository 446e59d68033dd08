"""The outcome of a trial travels with its last event, and its folder is pulled once, where nodes share no folder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray
from ray import tune
from ray.exceptions import RayActorError
from ray.train import UserCallback

from results.run.run_folder import RunFolder
from search.benches import trial_function as bench_trials
from search.benches.bench_executor import open_benches
from search.benches.messages import BenchReport
from search.driver import bench_spec
from search.planning.layout import BenchLayout
from search.planning.resources import TrialResources
from search.tuning import isolated_executor
from search.tuning.tune_report import event_of, tune_config
from spaces.records.trial import Ending, Outcome, Phase
from spaces.records.trial_spec import TrialSpec
from spaces.storage_uri import Storage
from tests.support import made_runs
from tests.support.counted_outcomes import counted_outcomes
from tests.support.made_runs import outcome, point, write_curve
from tests.support.toy_search import toy_plan
from trainable.files.mirror import push
from trainable.files.trial_folder import TrialFolder
from trainable.training.events import Event, Failed, Finished, Progress, StorageFailed

POINTS = [point(step) for step in range(4)]


class Nodes:
    """The driver's node and another one, which share storage but no folder."""

    def __init__(self, folder: Path) -> None:
        self._uri = f"file://{folder}/storage"
        self.driver = RunFolder(folder / "driver")
        self.spec = made_runs.spec(self.driver, storage=Storage(root=self.driver.path, uri=self._uri))

    def train_elsewhere(self, ended: Outcome | None) -> None:
        """Leaves a curve in storage, and this outcome if there is one."""
        there = RunFolder(self.driver.path.with_name("there"))
        write_curve(there, self.spec.trial, POINTS)
        if ended is not None:
            TrialFolder(there.trial(self.spec.trial)).write_outcome(ended)
        push(Storage(root=there.path, uri=self._uri), there.trial(self.spec.trial))


@pytest.fixture
def nodes(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path)


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """The events that Tune gets."""
    found: list[Event] = []
    monkeypatch.setattr(tune, "report", lambda result: found.append(event_of(result)))
    return found


def run_on_bench(folder: Path, spec: TrialSpec, *seats: Callable[[], list[Event]]) -> None:
    """Runs the trial's function; the trial gets a seat as often as there are `seats`, each with these events."""
    layout = BenchLayout(
        1,
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
    plan = toy_plan(folder)

    def serve(broker) -> None:
        lease, events = ray.get(broker.register_bench.remote("fake", "no node")), []
        for train in seats:
            while True:
                report = BenchReport(1, (), tuple(events))
                command, events = ray.get(broker.poll.remote("fake", lease.generation, report)), []
                if command.trial_specs:
                    break
            assert command.trial_specs == (spec,)
            events = train()
        with suppress(RayActorError):
            ray.get(broker.poll.remote("fake", lease.generation, BenchReport(1, (), tuple(events))))

    with open_benches(layout, bench_spec(plan, layout), folder, folder / "stop") as executor:
        bench = threading.Thread(target=serve, args=(executor.broker,), daemon=True)
        bench.start()
        executor.trial_function()(tune_config(spec))
    bench.join()


@pytest.mark.usefixtures("local_ray")
def test_of_a_trial_that_finished_on_a_bench_the_folder_is_pulled_once_and_no_outcome_is_read(tmp_path, nodes, reports):
    ended, progress = outcome("t000", Ending.EXHAUSTED), Progress("t000", POINTS[-1], Phase.TRAINING)

    def train() -> list[Event]:
        nodes.train_elsewhere(ended)
        return [progress, Finished("t000", ended)]

    with counted_outcomes() as counted:
        run_on_bench(tmp_path, nodes.spec, train)
    assert reports == [progress, Finished("t000", ended)]
    assert (counted.reads, counted.pulls) == (0, 1)
    assert TrialFolder(nodes.spec.path).read_points() == POINTS


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("left", [None, outcome("t000", Ending.EXHAUSTED)])
def test_of_a_trial_that_failed_on_its_bench_the_outcome_is_read_once(tmp_path, nodes, reports, left):
    """An outcome that an earlier bench has left stands."""

    def train() -> list[Event]:
        nodes.train_elsewhere(left)
        return [Failed("t000", "rank 4 is odd")]

    with counted_outcomes() as counted:
        run_on_bench(tmp_path, nodes.spec, train)
    [ended] = [event.outcome for event in reports]
    assert ended == left or (ended.ending, ended.reason, ended.point) == (Ending.FAILED, "rank 4 is odd", POINTS[-1])
    assert (counted.reads, counted.pulls) == (1, 1)
    assert TrialFolder(nodes.spec.path).read_outcome() == ended


@pytest.mark.usefixtures("local_ray")
def test_a_trial_whose_storage_fails_says_so_once_until_it_gets_further(tmp_path, nodes, reports, monkeypatch):
    monkeypatch.setattr(bench_trials, "FIRST_PAUSE_SECONDS", 0.01)
    ended, failed = outcome("t000", Ending.EXHAUSTED), StorageFailed("t000", "StorageError: no answer")
    first, further = (Progress("t000", each, Phase.TRAINING) for each in (POINTS[1], POINTS[2]))

    def finish() -> list[Event]:
        nodes.train_elsewhere(ended)
        return [Finished("t000", ended)]

    seats = [lambda: [failed], lambda: [first, failed], lambda: [first, failed], lambda: [further, failed], finish]
    run_on_bench(tmp_path, nodes.spec, *seats)
    assert reports == [failed, first, failed, first, further, failed, Finished("t000", ended)]


def test_of_an_isolated_trial_the_folder_is_pulled_once_and_no_outcome_is_read(tmp_path, nodes, reports, monkeypatch):
    ended = outcome("t000", Ending.EXHAUSTED)

    class Trainer:
        """What a Ray Train worker on another node does."""

        def __init__(self, train, **settings) -> None:
            pass

        def fit(self) -> SimpleNamespace:
            nodes.train_elsewhere(ended)
            return SimpleNamespace(return_value=ended)

    monkeypatch.setattr("ray.train.torch.TorchTrainer", Trainer)
    monkeypatch.setattr("ray.tune.integration.ray_train.TuneReportCallback", UserCallback)
    machine = TrialResources(at_once=1, has_gpu=False, worker={"CPU": 1}, threads=1)
    with counted_outcomes() as counted:
        isolated_executor.trial_function(machine, tmp_path, tmp_path / "stop")(tune_config(nodes.spec))
    assert reports == [Finished("t000", ended)]
    assert (counted.reads, counted.pulls) == (0, 1)
    assert TrialFolder(nodes.spec.path).read_points() == POINTS
