"""Losses on held-out clips: where a curve has them, their values, and that they change nothing else."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from spaces.band import Band
from spaces.draw import Draw
from spaces.records.trial import Ending, Point
from spaces.records.trial_spec import TrialSpec
from tests.support import toy_family
from tests.support.pack_processes import in_processes
from tests.support.recorded_bench import RecordedBench
from tests.support.toy_pack import ToyPack
from tests.support.toy_voice import ToyVoice, in_folder, make_toy_voice, timeless_curve
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
"""Per epoch of 18 clips, two per step."""
LONG = {"band": Band(low=1e-6, high=1e-5), "vector_lr": 1e-3, "epochs": 2}
SLOW = {"vector_lr": 0.01, "epochs": 1000}
OVER = {"band": Band(low=1.2, high=1.2001), "vector_lr": 0.06}
"""A curve that falls through its band within an epoch, with checkpoints near it."""


@pytest.fixture(scope="module")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> ToyVoice:
    """Twenty clips, of which two are held out."""
    whose, who = ("some", "quite a few", "no", "all", "ten"), ("rivers", "quiet evenings", "trains", "cats")
    return make_toy_voice(
        tmp_path_factory.mktemp("twenty"), tuple(map(" ".join, itertools.product(whose, who, ["end"])))
    )


def ended(voice: ToyVoice, folder: Path, name: str, **changes) -> list[Point]:
    run_trial(in_folder(voice.spec(name, **changes), folder), lambda event: None)
    return TrialFolder(folder / name).read_points()


def validated(points: list[Point]) -> list[int]:
    return [point.step for point in points if point.validation is not None]


def test_every_epoch_is_validated_and_so_is_the_start(twenty: ToyVoice, tmp_path: Path) -> None:
    assert validated(ended(twenty, tmp_path, "long", **LONG)) == [0, STEPS, 2 * STEPS]


def test_nothing_is_validated_where_nothing_is_held_out(voice: ToyVoice, tmp_path: Path) -> None:
    recorded = RecordedBench(voice, seats=1)
    recorded.bench.seat(in_folder(voice.spec("long", **LONG), tmp_path))
    recorded.run_until_empty()
    assert validated(TrialFolder(tmp_path / "long").read_points()) == []
    assert "validate" not in {call for call, _ in recorded.pack.log}


@pytest.mark.parametrize("at", range(2 * STEPS + 1))
def test_validation_is_the_mean_over_the_held_out_clips_without_dropout(
    twenty: ToyVoice, tmp_path: Path, at: int
) -> None:
    """At any step at which training is stopped, with the weights of its checkpoint."""
    spec = in_folder(twenty.spec("stopped", **LONG, dropout=0.5, objective="doubled"), tmp_path)
    recorded = RecordedBench(twenty, seats=1)
    recorded.bench.seat(spec)
    recorded.until(lambda: len(TrialFolder(spec.path).read_points()) > at)
    recorded.run_until_empty(stop=True)
    outcome = recorded.outcomes["stopped"]
    points = TrialFolder(spec.path).read_points()
    assert [point.step for point in points] == list(range(at + 1)) and points[-1] == outcome.point
    learner = toy_family.build(spec.model, Path(spec.prepared), "auto", spec.draw, spec.seed)
    learner.load_tensors(read_checkpoints(TrialFolder(spec.path).checkpoints)[-1].read().weights)
    learner.eval()
    held_out = learner.split.held_out
    assert len(held_out) == HELD_OUT
    with torch.no_grad():
        expected = learner.losses(held_out, step=0).parts["doubled"].mean()
    assert outcome.point.validation["doubled"] == pytest.approx(float(expected), rel=1e-6)
    assert outcome.point.validation["doubled"] != outcome.point.loss


def test_held_out_clips_are_never_trained_on(twenty: ToyVoice, tmp_path: Path) -> None:
    """Two epochs have twice the seconds of the training clips."""
    last = ended(twenty, tmp_path, "long", **LONG)[-1]
    split = DatasetSplit.read(twenty.root / "prepared")
    assert len(split.held_out) == HELD_OUT
    assert last.clips == 2 * 18 and last.epoch == 2.0
    assert last.audio_seconds == pytest.approx(2 * sum(split.entries[clip].seconds for clip in split.training))


@pytest.mark.parametrize(
    ("changes", "ending"),
    [
        ({}, Ending.IN_BAND),
        ({"vector_lr": 0.3, "batch": 1}, Ending.IN_BAND),
        ({"vector_lr": 1e-4}, Ending.HOPELESS),
        (OVER, Ending.OVERSHOT),
    ],
)
def test_the_last_point_and_the_kept_point_are_validated(
    twenty: ToyVoice, tmp_path: Path, changes: dict, ending: Ending
) -> None:
    outcome = run_trial(in_folder(twenty.spec("ended", **changes), tmp_path), lambda event: None)
    points = TrialFolder(tmp_path / "ended").read_points()
    assert outcome.ending is ending
    assert outcome.point == points[-1] and outcome.point.validation is not None
    if outcome.kept is not None:
        assert outcome.kept == points[outcome.kept.step] and outcome.kept.validation is not None
        [checkpoint] = read_checkpoints(TrialFolder(tmp_path / "ended").checkpoints)
        assert checkpoint.state.point == outcome.kept


def test_an_overshot_trial_goes_back_to_a_validated_point_within_an_epoch(twenty: ToyVoice, tmp_path: Path) -> None:
    outcome = run_trial(in_folder(twenty.spec("over", **OVER), tmp_path), lambda event: None)
    assert outcome.ending is Ending.OVERSHOT and outcome.kept.step % STEPS != 0
    assert outcome.kept.validation is not None


def test_a_loss_that_is_not_finite_is_not_validated(twenty: ToyVoice, tmp_path: Path) -> None:
    far = toy_family.make_toy_model(tmp_path / "far", start=1e30)
    spec = in_folder(twenty.spec("diverged"), tmp_path).model_copy(update={"model": str(far)})
    outcome = run_trial(spec, lambda event: None)
    assert outcome.ending is Ending.DIVERGED and outcome.point.validation is None


def test_reported_points_have_their_validation(twenty: ToyVoice, tmp_path: Path) -> None:
    recorded = RecordedBench(twenty, seats=2)
    for name, changes in {"in band": {}, "long": LONG}.items():
        recorded.bench.seat(in_folder(twenty.spec(name, **changes), tmp_path))
    recorded.run_until_empty()
    for trial in ("in band", "long"):
        written = TrialFolder(tmp_path / trial).read_points()
        reported = [event.point for event in recorded.events if isinstance(event, Progress) and event.trial == trial]
        assert reported == [written[point.step] for point in reported]
        assert reported[-1].validation is not None


def test_trials_that_are_due_together_are_validated_together(twenty: ToyVoice, tmp_path: Path) -> None:
    recorded = RecordedBench(twenty, seats=3)
    for name in ("one", "two"):
        recorded.bench.seat(in_folder(twenty.spec(name, **LONG), tmp_path))
    recorded.bench.advance()
    recorded.bench.seat(in_folder(twenty.spec("late", **LONG), tmp_path))
    recorded.run_until_empty()
    passes = [seats for call, seats in recorded.pack.log if call == "validate"]
    # A pass takes two clips, which are all that are held out.
    assert sorted(passes) == [(0, 1)] * 3 + [(2,)] * 3


@pytest.mark.parametrize("batch", [1, 2, 3, 50])
def test_clips_are_validated_in_batches_of_the_pack(twenty: ToyVoice, tmp_path: Path, batch: int) -> None:
    sizes: list[int] = []

    class Counting(ToyPack):
        def validate(self, seats, clips):
            sizes.append(len(clips))
            return super().validate(seats, clips)

    def build_learner(draw: Draw | None, seed: int) -> toy_family.ToyLearner:
        learner = toy_family.build(str(twenty.root / "model"), twenty.root / "prepared", "auto", draw, seed)
        entries = [entry.model_copy(update={"role": Role.HELD_OUT}) for entry in learner.split.entries]
        learner.split = learner.split.model_copy(update={"entries": tuple(entries[:7])})
        return learner

    pack = Counting(build_learner, batch, 2, ProcessGroup())
    spec = twenty.spec("counted")
    for seat in range(2):
        pack.join(seat, spec.draw, spec.seed)
    losses = validate(pack, [0, 1])
    assert sizes == {1: [1] * 7, 2: [2, 2, 2, 1], 3: [3, 3, 1], 50: [7]}[batch]
    with torch.no_grad():
        expected = build_learner(spec.draw, spec.seed).losses(range(7), step=0).parts["distance"].mean()
    assert losses[0] == losses[1]
    assert losses[0]["distance"] == pytest.approx(float(expected))
    assert validate(pack, []) == {}


@pytest.mark.parametrize("changes", [{}, {"dropout": 0.5}, OVER, {**LONG, "dropout": 0.3}])
def test_a_curve_that_is_cut_off_and_resumed_is_the_same(twenty: ToyVoice, tmp_path: Path, changes: dict) -> None:
    """Cut at every report in turn; each attempt resumes from the last checkpoint."""

    class Cut(Exception):
        pass

    def cut(event: Progress) -> None:
        step = event.point.step
        if step > 0 and step not in reached:
            reached.add(step)
            raise Cut

    spec, reached, attempts = in_folder(twenty.spec("resumed", **changes), tmp_path), set(), 0
    while TrialFolder(spec.path).read_outcome() is None:
        attempts += 1
        with contextlib.suppress(Cut):
            run_trial(spec, cut)
    whole = in_folder(spec, tmp_path / "whole")
    run_trial(whole, lambda event: None)
    assert attempts > 2
    assert timeless_curve(spec.path) == timeless_curve(whole.path)


def test_validation_does_not_change_training(twenty: ToyVoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_trials_side_by_side_are_validated_as_alone(twenty: ToyVoice, tmp_path: Path) -> None:
    recipes = {"in band": {}, "over": OVER, "long": LONG, "dropped": {**LONG, "dropout": 0.4, "accumulation": 2}}
    recorded = RecordedBench(twenty, seats=3)
    for name, changes in recipes.items():
        recorded.until(lambda: recorded.free_seats > 0)
        recorded.bench.seat(in_folder(twenty.spec(name, **changes), tmp_path))
        recorded.bench.advance()
    recorded.run_until_empty()
    for name, changes in recipes.items():
        alone = in_folder(twenty.spec(name, **changes), tmp_path / "alone")
        run_trial(alone, lambda event: None)
        assert timeless_curve(tmp_path / name) == timeless_curve(alone.path)


def group_member(rank: int, spec: TrialSpec, folder: Path) -> None:
    """One of two processes that train a trial."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    run_trial(spec, lambda event: None)
    dist.destroy_process_group()


def test_two_processes_write_what_one_writes(twenty: ToyVoice, tmp_path: Path) -> None:
    """Up to the rounding of sums in another order."""
    group, one = (in_folder(twenty.spec("over", **OVER), tmp_path / name) for name in ("group", "one"))
    in_processes(group_member, [(rank, group, tmp_path) for rank in range(2)])
    run_trial(one, lambda event: None)
    ours, theirs = (TrialFolder(spec.path).read_points() for spec in (group, one))
    assert validated(ours) == validated(theirs)
    assert any(step % STEPS for step in validated(ours)[:-1]), "expected one within an epoch"
    for mine, its in zip(ours, theirs, strict=True):
        assert mine.losses.model_dump() == pytest.approx(its.losses.model_dump(), rel=1e-5)
        if mine.validation is not None:
            assert mine.validation.model_dump() == pytest.approx(its.validation.model_dump(), rel=1e-5)
