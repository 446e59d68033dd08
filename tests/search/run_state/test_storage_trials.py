"""Trials on nodes that share no folder: another node continues a trial of a lost node, from storage only."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from results.run.run_folder import RunFolder
from search.run_state.sync import pull_prepared
from search.tuning.outcome_file import ensure_outcome, write_outcome
from spaces.band import Band
from spaces.records.trial import Ending
from spaces.records.trial_spec import TrialSpec
from spaces.storage_uri import Storage
from tests.support.faulty_storage import FATAL, disk, faulty
from tests.support.paths import ROOT
from tests.support.recorded_bench import RecordedBench
from tests.support.toy_voice import ToyVoice, strict, timeless, timeless_curve
from trainable.files.mirror import push
from trainable.files.object_store import ObjectStore
from trainable.files.trial_folder import OPTIMIZER, TrialFolder
from trainable.probe.criteria.calibration import Calibration
from trainable.training.checkpoint import read_checkpoints
from trainable.training.events import Progress, StorageFailed
from trainable.training.run_trial import run_trial

SLOW = {"vector_lr": 0.02, "epochs": 100}


class NodeLost(Exception):
    """Raised in the loop to simulate the loss of a node."""


class Node:
    """A node with its own disk; all nodes have the same storage."""

    def __init__(self, folder: Path, uri: str | None = None) -> None:
        self.storage = disk(folder.parent, folder.name, uri).store.uri
        self.run = RunFolder(folder)
        self.stored = Storage(root=folder, uri=self.storage)

    def job(self, job: TrialSpec) -> TrialSpec:
        """The spec with the paths of this node."""
        paths = {
            "prepared": self.run.prepared,
            "calibration": self.run.calibration,
            "folder": self.run.trial(job.trial),
        }
        return job.model_copy(update={**{name: str(path) for name, path in paths.items()}, "storage": self.stored})

    def prepare_for(self, job: TrialSpec) -> TrialSpec:
        pull_prepared(self.stored, job.probe.lines)
        return self.job(job)

    def lose(self) -> None:
        shutil.rmtree(self.run.path)


def first_node(voice: ToyVoice, job: TrialSpec, folder: Path, uri: str | None = None) -> Node:
    """The node that measured the baseline."""
    node = Node(folder / "first", uri)
    shutil.copytree(job.prepared, node.run.prepared)
    shutil.copytree(Path(job.calibration).parent, node.run.base)
    Calibration.read(Path(job.calibration)).write(node.run.calibration)
    push(node.stored, node.run.prepared)
    push(node.stored, node.run.base)
    return node


def lose_at(number: int):
    """An `on_progress` that raises `NodeLost` at that call."""
    events: list[Progress] = []

    def on_progress(event: Progress) -> None:
        events.append(event)
        if len(events) == number:
            raise NodeLost

    return on_progress


def run_until_empty(job: TrialSpec):
    return run_trial(job, lambda event: None)


def assert_equal(whole: TrialSpec, other: TrialSpec) -> None:
    outcomes = [TrialFolder(job.path).read_outcome() for job in (whole, other)]
    assert timeless(outcomes[0]) == timeless(outcomes[1])
    assert timeless_curve(whole.path) == timeless_curve(other.path)
    kept = [job.path / outcomes[0].checkpoint / "adapter.safetensors" for job in (whole, other)]
    assert kept[0].read_bytes() == kept[1].read_bytes()


@pytest.mark.parametrize("losses", [(1,), (6,), (12,), (9, 20)])
def test_another_node_finishes_a_trial_with_the_same_result(
    voice: ToyVoice, tmp_path: Path, losses: tuple[int, ...]
) -> None:
    job = voice.spec(f"lost {losses}", band=Band(low=0.6, high=0.8), **SLOW)
    run_until_empty(job)
    node = first_node(voice, job, tmp_path)
    for number, point in enumerate(losses):
        with pytest.raises(NodeLost):
            run_trial(node.prepare_for(job), lose_at(point))
        node.lose()
        node = Node(tmp_path / f"node {number}")
    there = node.prepare_for(job)
    steps: list[int] = []
    run_trial(there, lambda event: steps.append(event.point.step))
    assert_equal(job, there)
    assert min(steps) > 0 if losses[0] > 1 else min(steps) == 0
    stored = tree_names(node)
    assert f"{RunFolder(Path()).trial(job.trial)}/outcome.json" in stored
    assert not [name for name in stored if name.endswith(OPTIMIZER)]


def tree_names(node: Node) -> set[str]:
    return set(ObjectStore(node.storage).listing(""))


def test_the_same_through_s3(voice: ToyVoice, tmp_path: Path, s3: str) -> None:
    job = voice.spec("s3", band=Band(low=0.6, high=0.8), **SLOW)
    run_until_empty(job)
    node = first_node(voice, job, tmp_path, s3)
    with pytest.raises(NodeLost):
        run_trial(node.prepare_for(job), lose_at(12))
    node.lose()
    there = Node(tmp_path / "second", s3).prepare_for(job)
    steps: list[int] = []
    run_trial(there, lambda event: steps.append(event.point.step))
    assert min(steps) > 0
    assert_equal(job, there)


def test_another_node_continues_from_the_checkpoint_of_a_killed_process(voice: ToyVoice, tmp_path: Path) -> None:
    job = voice.spec("killed", band=Band(low=0.6, high=0.8), **SLOW)
    run_until_empty(job)
    node = first_node(voice, job, tmp_path)
    ready = node.prepare_for(job)
    script = "import os, sys\nfrom spaces.records.trial_spec import TrialSpec\n"
    script += "from trainable.training.run_trial import run_trial\n"
    script += "def on_progress(event):\n    if event.point.step >= 10: os._exit(9)\n"
    script += "run_trial(TrialSpec.model_validate_json(sys.argv[1]), on_progress)"
    ended = subprocess.run([sys.executable, "-c", script, ready.model_dump_json()], cwd=ROOT, check=False)
    assert ended.returncode == 9
    node.lose()
    there = Node(tmp_path / "second").prepare_for(job)
    steps: list[int] = []
    run_trial(there, lambda event: steps.append(event.point.step))
    assert min(steps) > 0
    assert_equal(job, there)


def test_a_second_chance_continues_on_another_node(voice: ToyVoice, tmp_path: Path) -> None:
    whole = strict(voice.spec("one", **SLOW), tmp_path / "whole")
    node = first_node(voice, whole, tmp_path)
    job = node.prepare_for(whole)
    recorded = RecordedBench(voice, seats=1)
    recorded.bench.seat(job)
    recorded.until(lambda: TrialFolder(job.path).second_chance.exists())
    node.lose()
    there = Node(tmp_path / "second").prepare_for(whole)
    for each in (whole, there):
        recorded = RecordedBench(voice, seats=1)
        recorded.bench.seat(each)
        recorded.run_until_empty()
    assert_equal(whole, there)
    assert TrialFolder(there.path).read_second_chance() is not None


def test_the_driver_reads_on_its_own_disk_what_a_bench_left_on_another(voice: ToyVoice, tmp_path: Path) -> None:
    job = voice.spec("read")
    there = first_node(voice, job, tmp_path).prepare_for(job)
    outcome = run_until_empty(there)
    driver = Node(tmp_path / "driver")
    here = driver.job(job)
    assert ensure_outcome(here, Ending.FAILED, "no outcome was found") == outcome
    assert tree_text(here.path) == tree_text(there.path)
    assert [each.folder.name for each in read_checkpoints(here.path / "checkpoints")] == [Path(outcome.checkpoint).name]


def tree_text(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_outcome_written_by_the_driver_holds_on_every_node(voice: ToyVoice, tmp_path: Path) -> None:
    job = voice.spec("failed", **SLOW)
    node = first_node(voice, job, tmp_path)
    with pytest.raises(NodeLost):
        run_trial(node.prepare_for(job), lose_at(12))
    failed = ensure_outcome(Node(tmp_path / "driver").job(job), Ending.FAILED, "its process died over and over")
    assert failed.point is not None and failed.point.step > 0
    assert run_trial(Node(tmp_path / "second").prepare_for(job), lose_at(1)) == failed


def test_a_trial_whose_storage_fails_loses_its_seat_and_others_continue(voice: ToyVoice, tmp_path: Path) -> None:
    node = first_node(voice, voice.spec("other"), tmp_path)
    stored, local = node.prepare_for(voice.spec("stored")), voice.spec("local")
    local = local.model_copy(update={"folder": str(tmp_path / "local")})
    recorded = RecordedBench(voice, seats=2)
    recorded.bench.seat(local)
    with faulty(fails_from=0) as storage:
        recorded.bench.seat(stored)
        recorded.until(lambda: "stored" in recorded.failures)
        assert storage.touched
    failed = recorded.failures["stored"]
    assert isinstance(failed, StorageFailed) and "StorageError" in failed.reason and FATAL in failed.reason
    recorded.run_until_empty()
    assert recorded.outcomes.keys() == {"local"}
    again = RecordedBench(voice, seats=1)
    again.bench.seat(stored)
    again.run_until_empty()
    assert again.outcomes["stored"].accepted == recorded.outcomes["local"].accepted
    assert f"trials/{stored.trial}/outcome.json" in tree_names(node)


def test_an_outcome_that_could_not_be_pushed_is_pushed_in_the_next_seat(voice: ToyVoice, tmp_path: Path) -> None:
    job = first_node(voice, voice.spec("other"), tmp_path).prepare_for(voice.spec("unpushed", **SLOW))
    with pytest.raises(NodeLost):
        run_trial(job, lose_at(12))
    ended = write_outcome(job.model_copy(update={"storage": None}), Ending.FAILED, "written on this disk only")
    recorded = RecordedBench(voice, seats=1)
    recorded.bench.seat(job)
    assert recorded.outcomes == {"unpushed": ended}
    driver = Node(tmp_path / "driver").job(job)
    assert ensure_outcome(driver, Ending.CANCELLED, "no outcome was found") == ended
