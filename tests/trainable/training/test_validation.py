"""The losses of clips that nobody trains on: where a curve has them, what they are, and that they change nothing."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from spaces.band import Band
from spaces.draw import Draw
from spaces.records.trial import Ending, Phase, Point
from spaces.records.trial_spec import TrialSpec
from tests.support import toy_family
from tests.support.pack_processes import in_processes
from tests.support.recorded_bench import RecordedBench
from tests.support.toy_voice import ToyVoice, in_folder, lay, timeless_curve
from trainable.dataset.split import DatasetSplit, Role
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import load_family
from trainable.files.trial_folder import TrialFolder
from trainable.training.checkpoint import read_checkpoints
from trainable.training.events import Progress
from trainable.training.run_trial import run_trial
from trainable.training.validation import validate

HELD_OUT = 2
STEPS = 9
"""In an epoch of 18 clips, two to a step."""
LONG = {"band": Band(low=1e-6, high=1e-5), "lora_lr": 1e-3, "text_projection_lr": 0.0, "epochs": 2}
SLOW = {"lora_lr": 0.01, "text_projection_lr": 0.0, "epochs": 1000}
OVER = {"band": Band(low=1.2, high=1.2001), "lora_lr": 0.06, "text_projection_lr": 0.0}
"""A curve that falls through its band in the middle of an epoch, with checkpoints near it."""


@pytest.fixture(scope="module")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> ToyVoice:
    """Twenty clips, of which two are held out."""
    whose, who = ("some", "quite a few", "no", "all", "ten"), ("rivers", "quiet evenings", "trains", "cats")
    return lay(tmp_path_factory.mktemp("twenty"), tuple(map(" ".join, itertools.product(whose, who, ["end"]))))


def ended(voice: ToyVoice, folder: Path, name: str, **changes) -> list[Point]:
    run_trial(in_folder(voice.job(name, **changes), folder), lambda point, phase: None)
    return TrialFolder(folder / name).read_points()


def validated(points: list[Point]) -> list[int]:
    return [point.step for point in points if point.validation is not None]


def test_every_epoch_is_validated_and_so_is_the_start(twenty: ToyVoice, tmp_path: Path) -> None:
    assert validated(ended(twenty, tmp_path, "long", **LONG)) == [0, STEPS, 2 * STEPS]


def test_nothing_is_validated_where_nothing_is_held_out(voice: ToyVoice, tmp_path: Path) -> None:
    recorded = RecordedBench(voice, seats=1)
    recorded.bench.seat(in_folder(voice.job("long", **LONG), tmp_path))
    recorded.run_until_empty()
    assert validated(TrialFolder(tmp_path / "long").read_points()) == []
    assert "validate" not in {what for what, _ in recorded.pack.log}


@pytest.mark.parametrize("at", range(2 * STEPS + 1))
def test_it_is_the_mean_of_the_held_out_clips_without_dropout(twenty: ToyVoice, tmp_path: Path, at: int) -> None:
    """At any step that training is stopped at, by the weights that are left."""
    job = in_folder(twenty.job("stopped", **LONG, dropout=0.5, objective="guide"), tmp_path)
    recorded = RecordedBench(twenty, seats=1)
    recorded.bench.seat(job)
    recorded.until(lambda: len(TrialFolder(job.path).read_points()) > at)
    recorded.run_until_empty(stop=True)
    outcome = recorded.outcomes["stopped"]
    points = TrialFolder(job.path).read_points()
    assert [point.step for point in points] == list(range(at + 1)) and points[-1] == outcome.point
    learner = toy_family.build(job.model, Path(job.prepared), "auto", job.draw, job.seed)
    learner.load_tensors(read_checkpoints(TrialFolder(job.path).checkpoints)[-1].read().weights)
    learner.eval()
    held_out = learner.split.held_out
    assert len(held_out) == HELD_OUT
    with torch.no_grad():
        expected = learner.losses(held_out, step=0).guide.mean()
    assert outcome.point.validation.guide == pytest.approx(float(expected), rel=1e-6)
    assert outcome.point.validation.guide != outcome.point.loss


def test_held_out_clips_are_never_trained_on(twenty: ToyVoice, tmp_path: Path) -> None:
    """What was heard in two epochs is twice the training clips, second for second."""
    last = ended(twenty, tmp_path, "long", **LONG)[-1]
    split = DatasetSplit.read(twenty.root / "prepared")
    assert len(split.held_out) == HELD_OUT
    assert last.clips == 2 * 18 and last.epoch == 2.0
    assert last.audio_seconds == pytest.approx(2 * sum(split.entries[clip].seconds for clip in split.training))


@pytest.mark.parametrize(
    ("changes", "ending"),
    [
        ({}, Ending.IN_BAND),
        ({"lora_lr": 0.3, "batch": 1}, Ending.IN_BAND),
        ({"lora_lr": 1e-4, "text_projection_lr": 1e-5}, Ending.HOPELESS),
        (OVER, Ending.OVERSHOT),
    ],
)
def test_where_training_ends_and_what_is_kept_is_validated(
    twenty: ToyVoice, tmp_path: Path, changes: dict, ending: Ending
) -> None:
    outcome = run_trial(in_folder(twenty.job("ended", **changes), tmp_path), lambda point, phase: None)
    points = TrialFolder(tmp_path / "ended").read_points()
    assert outcome.ending is ending
    assert outcome.point == points[-1] and outcome.point.validation is not None
    if outcome.kept is not None:
        assert outcome.kept == points[outcome.kept.step] and outcome.kept.validation is not None
        [checkpoint] = read_checkpoints(TrialFolder(tmp_path / "ended").checkpoints)
        assert checkpoint.state.point == outcome.kept


def test_an_overshot_trial_goes_back_to_a_validated_point_within_an_epoch(twenty: ToyVoice, tmp_path: Path) -> None:
    outcome = run_trial(in_folder(twenty.job("over", **OVER), tmp_path), lambda point, phase: None)
    assert outcome.ending is Ending.OVERSHOT and outcome.kept.step % STEPS != 0
    assert outcome.kept.validation is not None


def test_a_loss_that_is_not_finite_is_not_validated(twenty: ToyVoice, tmp_path: Path) -> None:
    far = toy_family.make_toy_model(tmp_path / "far", start=1e30)
    job = in_folder(twenty.job("diverged"), tmp_path).model_copy(update={"model": str(far)})
    outcome = run_trial(job, lambda point, phase: None)
    assert outcome.ending is Ending.DIVERGED and outcome.point.validation is None


def test_what_is_told_has_its_validation(twenty: ToyVoice, tmp_path: Path) -> None:
    recorded = RecordedBench(twenty, seats=2)
    for name, changes in {"in band": {}, "long": LONG}.items():
        recorded.bench.seat(in_folder(twenty.job(name, **changes), tmp_path))
    recorded.run_until_empty()
    for trial in ("in band", "long"):
        written = TrialFolder(tmp_path / trial).read_points()
        said = [event.point for event in recorded.events if isinstance(event, Progress) and event.trial == trial]
        assert said == [written[point.step] for point in said]
        assert said[-1].validation is not None


def test_those_who_are_due_together_are_validated_together(twenty: ToyVoice, tmp_path: Path) -> None:
    recorded = RecordedBench(twenty, seats=3)
    for name in ("one", "two"):
        recorded.bench.seat(in_folder(twenty.job(name, **LONG), tmp_path))
    recorded.bench.advance()
    recorded.bench.seat(in_folder(twenty.job("late", **LONG), tmp_path))
    recorded.run_until_empty()
    passes = [seats for what, seats in recorded.pack.log if what == "validate"]
    # Two clips go into a pass, as many as are held out.
    assert sorted(passes) == [(0, 1)] * 3 + [(2,)] * 3


@pytest.mark.parametrize("batch", [1, 2, 3, 50])
def test_clips_go_through_in_passes_of_the_packs_size(twenty: ToyVoice, tmp_path: Path, batch: int) -> None:
    sizes: list[int] = []

    class Counting(toy_family.ToyPack):
        def validate(self, seats, clips):
            sizes.append(len(clips))
            return super().validate(seats, clips)

    def make(draw: Draw | None, seed: int) -> toy_family.ToyLearner:
        learner = toy_family.build(str(twenty.root / "model"), twenty.root / "prepared", "auto", draw, seed)
        entries = [entry.model_copy(update={"role": Role.HELD_OUT}) for entry in learner.split.entries]
        learner.split = learner.split.model_copy(update={"entries": tuple(entries[:7])})
        return learner

    pack = Counting(make, batch, 2, ProcessGroup())
    job = twenty.job("counted")
    for seat in range(2):
        pack.join(seat, job.draw, job.seed)
    losses = validate(pack, [0, 1])
    assert sizes == {1: [1] * 7, 2: [2, 2, 2, 1], 3: [3, 3, 1], 50: [7]}[batch]
    with torch.no_grad():
        expected = make(job.draw, job.seed).losses(range(7), step=0).aligned.mean()
    assert losses[0] == losses[1]
    assert losses[0].aligned == pytest.approx(float(expected))
    assert validate(pack, []) == {}


@pytest.mark.parametrize("changes", [{}, {"dropout": 0.5}, OVER, {**LONG, "dropout": 0.3}])
def test_a_curve_that_is_cut_off_and_resumed_is_the_same(twenty: ToyVoice, tmp_path: Path, changes: dict) -> None:
    """Cut at every report in turn; each attempt goes on from what the one before has kept."""

    class Cut(Exception):
        pass

    def cut(point: Point, phase: Phase) -> None:
        if point.step > 0 and point.step not in reached:
            reached.add(point.step)
            raise Cut

    job, reached, attempts = in_folder(twenty.job("resumed", **changes), tmp_path), set(), 0
    while TrialFolder(job.path).read_outcome() is None:
        attempts += 1
        with contextlib.suppress(Cut):
            run_trial(job, cut)
    whole = in_folder(job, tmp_path / "whole")
    run_trial(whole, lambda point, phase: None)
    assert attempts > 2
    assert timeless_curve(job.path) == timeless_curve(whole.path)


def test_validation_leaves_training_as_it_is(twenty: ToyVoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {**SLOW, "epochs": 3, "dropout": 0.3}
    with_it = ended(twenty, tmp_path, "with", **changes)
    monkeypatch.setattr("trainable.training.trial_trainer.TrialTrainer.needs_validation", False)
    without = ended(twenty, tmp_path, "without", **changes)
    assert validated(without) == [] != validated(with_it)
    bare = [point.model_copy(update={"validation": None, "seconds": 0.0, "gpu_seconds": 0.0}) for point in with_it]
    assert bare == [point.model_copy(update={"seconds": 0.0, "gpu_seconds": 0.0}) for point in without]


def test_a_trial_with_a_model_of_its_own_is_validated_alike(
    twenty: ToyVoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = ended(twenty, tmp_path, "packed", **LONG)
    monkeypatch.setattr(load_family("tests.support.toy_family"), "why_not_packed", lambda model, shape: "for this test")
    alone = ended(twenty, tmp_path, "alone", **LONG)
    assert validated(alone) == [0, STEPS, 2 * STEPS]
    assert [point.validation for point in packed] == [point.validation for point in alone]


def test_side_by_side_it_is_what_it_would_be_alone(twenty: ToyVoice, tmp_path: Path) -> None:
    recipes = {"in band": {}, "over": OVER, "long": LONG, "dropped": {**LONG, "dropout": 0.4, "accumulation": 2}}
    recorded = RecordedBench(twenty, seats=3)
    for name, changes in recipes.items():
        recorded.until(lambda: recorded.bench.free_seats > 0)
        recorded.bench.seat(in_folder(twenty.job(name, **changes), tmp_path))
        recorded.bench.advance()
    recorded.run_until_empty()
    for name, changes in recipes.items():
        alone = in_folder(twenty.job(name, **changes), tmp_path / "alone")
        run_trial(alone, lambda point, phase: None)
        assert timeless_curve(tmp_path / name) == timeless_curve(alone.path)


def group_member(rank: int, order: TrialSpec, folder: Path) -> None:
    """One of two that train a trial together."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    run_trial(order, lambda point, phase: None)
    dist.destroy_process_group()


def test_two_that_train_together_leave_what_one_does(twenty: ToyVoice, tmp_path: Path) -> None:
    """To the rounding of sums in another order."""
    group, one = (in_folder(twenty.job("over", **OVER), tmp_path / name) for name in ("group", "one"))
    in_processes(group_member, [(rank, group, tmp_path) for rank in range(2)])
    run_trial(one, lambda point, phase: None)
    ours, theirs = (TrialFolder(order.path).read_points() for order in (group, one))
    assert validated(ours) == validated(theirs)
    assert any(step % STEPS for step in validated(ours)[:-1]), "expected one within an epoch"
    for mine, its in zip(ours, theirs, strict=True):
        assert mine.losses.model_dump() == pytest.approx(its.losses.model_dump(), rel=1e-5)
        if mine.validation is not None:
            assert mine.validation.model_dump() == pytest.approx(its.validation.model_dump(), rel=1e-5)
