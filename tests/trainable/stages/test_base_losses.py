"""The base model's losses, of a toy and of the real classes, against what a trial sees."""

import math
from statistics import stdev

import pytest
import torch

from spaces.records.losses import BaseLosses, Losses
from tests.support import made_runs
from tests.support.toy_family import ToyLearner
from trainable.dataset.split import ClipEntry, DatasetSplit, Role
from trainable.stages.base_losses import MAX_CLIPS, measure_base_losses


def learner(training: int, held_out: int) -> ToyLearner:
    roles = [Role.TRAINING] * training + [Role.HELD_OUT] * held_out + [Role.SPARE]
    entries = tuple(ClipEntry(text=f"{place}", seconds=1 + place % 7, role=role) for place, role in enumerate(roles))
    return ToyLearner(DatasetSplit(entries=entries), 2.0, None, seed=1)


def quiet(what: str, done: int, of: int) -> None:
    assert 0 < done <= of


@pytest.mark.parametrize(("training", "held_out"), [(1, 0), (9, 2), (MAX_CLIPS, 3)])
def test_every_clip_of_an_epoch_counts_the_same(training: int, held_out: int) -> None:
    model = learner(training, held_out)
    found = measure_base_losses(model, 1, quiet)
    each = [float(model.losses([clip], 0).parts["distance"]) for clip in model.split.training]
    unseen = [float(model.losses([clip], 0).parts["distance"]) for clip in model.split.held_out]
    assert found.clips == training
    assert found.training["distance"] == pytest.approx(math.fsum(each) / training, rel=1e-6)
    assert found.of("doubled").mean == pytest.approx(2 * found.of("distance").mean, rel=1e-6)
    assert found.of("distance").deviation == pytest.approx(stdev(each) if training > 1 else 0.0, rel=1e-4, abs=1e-9)
    if held_out:
        assert found.held_out["distance"] == pytest.approx(math.fsum(unseen) / held_out, rel=1e-6)
    else:
        assert found.held_out is None


def test_a_long_epoch_is_sampled_equally_each_time() -> None:
    model = learner(MAX_CLIPS + 200, 0)
    once, again = measure_base_losses(model, 1, quiet), measure_base_losses(model, 1, quiet)
    assert once.clips == MAX_CLIPS
    assert once == again != measure_base_losses(model, 2, quiet)


def test_dropout_is_on_in_training_mode_alone() -> None:
    model = learner(50, 4)
    model._dropout.p = 0.5
    torch.manual_seed(0)
    found = measure_base_losses(model, 1, quiet)
    clean = measure_base_losses(learner(50, 4), 1, quiet)
    assert found.training != clean.training
    assert (found.evaluation, found.held_out) == (clean.evaluation, clean.held_out)
    assert not model._dropout.training


def test_the_noise_of_a_mean_falls_with_the_root_of_its_clips() -> None:
    noise = made_runs.BASE_LOSSES.of("aligned")
    assert (noise.mean, noise.standard_error(1), noise.standard_error(25)) == (4.2, 0.5, 0.1)


@pytest.mark.parametrize(
    ("evaluation", "held_out", "expected"),
    [
        (1.0, None, "a 1.000, b 2.000"),
        (1.0, 3.0, "a 1.000 (held out 3.000), b 2.000 (2.000)"),
        (0.9, None, "a 1.000, b 2.000; in evaluation mode a 0.900"),
        (1.0001, None, "a 1.000, b 2.000"),
    ],
)
def test_losses_in_words(evaluation: float, held_out: float | None, expected: str) -> None:
    losses = BaseLosses(
        clips=3,
        training=Losses({"a": 1.0, "b": 2.0}),
        deviation=Losses({"a": 0.1, "b": 0.1}),
        evaluation=Losses({"a": evaluation, "b": 2.0}),
        held_out=None if held_out is None else Losses({"a": held_out, "b": 2.0}),
    )
    assert str(losses) == expected
