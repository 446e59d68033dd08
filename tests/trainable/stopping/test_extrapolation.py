"""Predicted crossings hold, and curves that would cross are not declared hopeless."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from spaces.band import Band
from spaces.draw import Schedule
from spaces.records.trial import Ending, Point
from tests.support.made_curves import Course, exponential, linear, observed, sigmoid, stepped
from tests.support.made_runs import draw
from trainable.stopping.extrapolation import EffectiveSteps, earliest_crossing
from trainable.stopping.rule import decide
from trainable.training.lr_schedule import effective_steps

BAND = Band(low=4.1, high=4.2)
EPOCHS, CLIPS, STEPS = 8, 32, 8
"""Steps per epoch."""
LAST_STEP = EPOCHS * STEPS


def first_of(ending: Ending, points: list[Point], clips: int = CLIPS, steps: EffectiveSteps = float) -> float | None:
    """The epoch at which the curve first has this ending; None if it has another ending first, or none."""
    for at in range(len(points)):
        found = decide(points[: at + 1], BAND, clips, points[-1].step, steps)
        if found is not None:
            return points[at].epoch if found is ending else None
    return None


COURSES: dict[str, Callable[[float, float, random.Random], Course]] = {
    "exponential": lambda start, end, rng: exponential(start, end, rng.choice([0.5, 2.0, 4.0]), EPOCHS),
    "linear": lambda start, end, rng: linear(start, end, EPOCHS),
    "slow start": lambda start, end, rng: sigmoid(start, end, EPOCHS, rng.choice([0.2, 0.5, 0.8])),
    "stepped": lambda start, end, rng: stepped(start, end, EPOCHS),
}
CURVES, FALSELY_HOPELESS = 100, 1
"""A bound fails in one of two hundred cases, and is checked about twenty times in a run."""


@pytest.mark.parametrize("family", COURSES)
def test_almost_no_curve_that_will_cross_is_hopeless(family: str) -> None:
    rng, hopeless = random.Random(1), []
    for _ in range(CURVES):
        course = COURSES[family](rng.uniform(4.8, 9.0), rng.uniform(3.3, 3.9), rng)
        spreads = {"clip_spread": rng.choice([0.1, 0.4]), "within": rng.choice([0.05, 0.15])}
        clips, noise, seed = rng.choice([8, 30, 61]), rng.choice([0.0, 0.03, 0.1]), rng.randrange(1000)
        points = observed(course, EPOCHS, clips, seed=seed, noise=noise, **spreads)
        if first_of(Ending.HOPELESS, points, clips) is not None:
            hopeless.append((clips, seed, spreads, noise))
    assert len(hopeless) <= FALSELY_HOPELESS, hopeless


@pytest.mark.parametrize("family", ["exponential", "linear"])
def test_a_spike_makes_nothing_hopeless(family: str) -> None:
    rng = random.Random(2)
    for _ in range(25):
        course = COURSES[family](rng.uniform(4.8, 9.0), rng.uniform(3.3, 3.9), rng)
        points, at = observed(course, EPOCHS, seed=rng.randrange(100)), rng.randint(9, LAST_STEP - 9)
        points[at] = points[at].model_copy(update={"loss": points[at].loss + 2.0})
        assert first_of(Ending.HOPELESS, points) is None


def bump(course: Course) -> Course:
    """The course with a rise of up to 0.7 nats in the first epoch."""
    return lambda epoch: course(epoch) + 0.7 * math.sin(min(1.0, epoch) * math.pi)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("start", [4.8, 6.0])
def test_a_rise_at_first_makes_nothing_hopeless(start: float, seed: int) -> None:
    points = observed(bump(exponential(start, 3.7, 2.0, EPOCHS)), EPOCHS, seed=seed)
    assert max(point.loss for point in points[:STEPS]) > points[0].loss + 0.1
    assert first_of(Ending.HOPELESS, points) is None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("warmup", "schedule"), [(24, Schedule.CONSTANT), (40, Schedule.CONSTANT), (24, Schedule.COSINE)]
)
def test_a_warm_up_is_not_taken_for_a_slow_start(warmup: int, schedule: Schedule, seed: int) -> None:
    """Three or five of sixteen epochs are warm-up."""
    steps = effective_steps(draw(warmup=warmup, schedule=schedule), 2 * LAST_STEP)
    learned = steps(2 * LAST_STEP) / STEPS
    points = observed(linear(6.0, 3.8, learned), 2 * EPOCHS, seed=seed, effective_steps=steps)
    assert first_of(Ending.HOPELESS, points, steps=steps) is None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("course", "by"),
    [
        (linear(5.4, 5.4, 1), 4.5),
        (linear(5.4, 5.2, EPOCHS), 4.5),
        (linear(5.4, 5.8, EPOCHS), 4.5),
        (linear(9.0, 8.0, EPOCHS), 3.0),
        (exponential(6.0, 5.5, 4.0, EPOCHS), 5.0),
    ],
)
def test_a_curve_that_is_far_too_slow_is_hopeless_early(course: Course, by: float, seed: int) -> None:
    hopeless = first_of(Ending.HOPELESS, observed(course, EPOCHS, seed=seed))
    assert hopeless is not None and 1 <= hopeless <= by


@pytest.mark.parametrize("seed", range(4))
def test_stronger_evidence_ends_sooner(seed: int) -> None:
    """The same flat curve of many clips and of few."""
    few, many = (
        first_of(Ending.HOPELESS, observed(linear(5.4, 5.4, 1), EPOCHS, clips, seed=seed, within=0.2), clips)
        for clips in (8, 240)
    )
    assert many is not None and many < (few or math.inf)


@pytest.mark.parametrize("course", [exponential(6.0, 3.8, 1.0, EPOCHS), linear(6.0, 3.8, EPOCHS)])
def test_a_crossing_is_predicted(course: Course) -> None:
    """From half-way the bound holds, and is less than two and a half epochs early."""
    for seed in range(20):
        points = observed(course, EPOCHS, seed=seed)
        crossed = next(point.step for point in points if point.loss <= BAND.high)
        earliest = earliest_crossing(points[: 4 * STEPS + 1], BAND.high, CLIPS, LAST_STEP)
        assert earliest is not None and crossed - 2.5 * STEPS < earliest <= crossed


def test_a_flat_curve_is_not_expected_to_cross() -> None:
    points = observed(linear(5.4, 5.4, 1), EPOCHS)
    assert earliest_crossing(points[: 3 * STEPS + 1], BAND.high, CLIPS, LAST_STEP) == math.inf


def test_a_curve_that_has_crossed_crosses_now() -> None:
    points = observed(linear(6.0, 3.0, EPOCHS), EPOCHS)
    assert earliest_crossing(points[: 7 * STEPS], BAND.high, CLIPS, LAST_STEP) == 7 * STEPS - 1


@pytest.mark.parametrize("shift", [-3.0, 0.7, 5.0])
def test_a_crossing_does_not_depend_on_the_level_of_the_loss(shift: float) -> None:
    points = observed(exponential(6.0, 3.8, 2.0, EPOCHS), EPOCHS)[: 3 * STEPS + 1]
    moved = [point.model_copy(update={"loss": point.loss + shift}) for point in points]
    assert earliest_crossing(points, BAND.high, CLIPS, LAST_STEP) == earliest_crossing(
        moved, BAND.high + shift, CLIPS, LAST_STEP
    )


def test_too_few_points_give_no_forecast() -> None:
    points = observed(linear(6.0, 3.0, EPOCHS), EPOCHS)
    assert earliest_crossing(points[:1], BAND.high, CLIPS, LAST_STEP) is None
    assert earliest_crossing(points[: STEPS // 2], BAND.high, CLIPS, LAST_STEP) is None
    assert earliest_crossing(points[1:], BAND.high, CLIPS, LAST_STEP) is None
    points[STEPS] = points[STEPS].model_copy(update={"loss": math.inf})
    assert earliest_crossing(points[: 2 * STEPS + 1], BAND.high, CLIPS, LAST_STEP) is None


@pytest.mark.parametrize("epochs", [1.5, 3.0, 6.0])
def test_equal_points_give_equal_forecasts(epochs: float) -> None:
    points = observed(exponential(6.0, 3.8, 2.0, EPOCHS), EPOCHS, noise=0.05)[: int(epochs * STEPS) + 1]
    assert earliest_crossing(points, 4.2, CLIPS, LAST_STEP) == earliest_crossing(list(points), 4.2, CLIPS, LAST_STEP)
