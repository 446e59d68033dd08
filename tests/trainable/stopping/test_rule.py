"""The stopping rule: how a curve ends."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spaces.band import Band
from spaces.records.losses import BaseLoss
from spaces.records.trial import Ending, Point
from tests.support.made_curves import (
    CLIPS,
    STEPS_PER_EPOCH,
    Course,
    curve,
    exponential,
    linear,
    observed,
    sigmoid,
    stepped,
)
from trainable.stopping.rule import decide, may_be_spike, may_jump_over, nears_floor

BAND = Band(low=4.1, high=4.2)
LAST_STEP = 40


def fall(start: float, by: float, steps: int) -> tuple[float, ...]:
    return tuple(start - by * step for step in range(steps + 1))


@pytest.mark.parametrize(
    ("losses", "ending"),
    [
        (fall(9.0, 0.1, LAST_STEP - 1), None),
        (fall(9.0, 0.1, LAST_STEP), Ending.COMPLETED),
        (tuple([9.0] * LAST_STEP), None),
        ((9.0, math.nan), Ending.DIVERGED),
        ((9.0, 0.00004), Ending.COLLAPSED),
    ],
)
def test_without_a_band_all_epochs_are_trained(losses: tuple[float, ...], ending: Ending | None) -> None:
    assert decide(curve(*losses), None, CLIPS, LAST_STEP) is ending


@pytest.mark.parametrize(
    ("losses", "ending"),
    [
        ((9.0,), None),
        (fall(9.0, 0.2, 6), None),
        # Four clips are half an epoch of eight, and too few.
        ((9.0, 8.0, 4.15), None),
        ((9.0, 8.0, 3.0), None),
        ((9.0, 8.0, 7.0, 6.0, 4.15), Ending.IN_BAND),
        ((9.0, 8.0, 7.0, 6.0, 4.2), Ending.IN_BAND),
        ((9.0, 8.0, 7.0, 6.0, 4.1), Ending.IN_BAND),
        ((9.0, 8.0, 7.0, 6.0, 4.0999), Ending.OVERSHOT),
        ((9.0, 8.0, 7.0, 4.15, 4.15), Ending.IN_BAND),
        ((9.0, math.nan), Ending.DIVERGED),
        ((math.inf,), Ending.DIVERGED),
        ((9.0, -math.inf), Ending.DIVERGED),
        ((0.0,), Ending.COLLAPSED),
        ((9.0, 0.00004), Ending.COLLAPSED),
        ((9.0, 8.0, 7.0, 6.0, 0.0001), Ending.OVERSHOT),
        # An outlier, which the next step confirms or not.
        ((*fall(9.0, 0.1, 7), 4.15), None),
        ((*fall(9.0, 0.1, 7), 3.0), None),
        ((*fall(9.0, 0.1, 7), 4.15, 4.15), Ending.IN_BAND),
        ((*fall(9.0, 0.1, 7), 4.15, 3.9), Ending.OVERSHOT),
        ((*fall(9.0, 0.1, 7), 3.0, 3.0), Ending.OVERSHOT),
        ((*fall(9.0, 0.1, 7), 3.0, 8.1), None),
        # Not an outlier.
        ((*fall(9.0, 0.9, 5), 4.15), Ending.IN_BAND),
        ((*fall(9.0, 0.9, 5), 4.0), Ending.OVERSHOT),
        # The last step is judged at once.
        ((*fall(9.0, 0.1, LAST_STEP - 1), 4.15), Ending.IN_BAND),
        ((*fall(9.0, 0.1, LAST_STEP - 1), 3.0), Ending.OVERSHOT),
        (fall(9.0, 0.1, LAST_STEP), Ending.EXHAUSTED),
        # Above the band, and too slow.
        (fall(9.0, 0.01, 3), None),
        (fall(9.0, 0.01, 4), None),
        (fall(9.0, 0.01, 8), Ending.HOPELESS),
        (fall(9.0, 0.2, 8), None),
        (fall(9.0, 0.12, 30), None),
        (tuple([9.0] * 9), Ending.HOPELESS),
        (tuple(9.0 + 0.1 * step for step in range(10)), Ending.HOPELESS),
        # In the last epoch.
        (tuple([9.0] * (LAST_STEP - 3)), None),
        # In the band.
        ((9.0, 8.0, 7.0, 6.0, *[4.19] * 9), Ending.IN_BAND),
    ],
)
def test_endings(losses: tuple[float, ...], ending: Ending | None) -> None:
    assert decide(curve(*losses), BAND, CLIPS, LAST_STEP) is ending


@pytest.mark.parametrize(
    ("loss", "step", "ending"),
    [
        (4.9, 9, None),
        (4.6, 9, None),
        (4.5, 9, Ending.IN_BAND),
        (4.1, 9, Ending.IN_BAND),
        (3.9, 9, Ending.OVERSHOT),
        (4.9, LAST_STEP, Ending.IN_BAND),
        (5.1, LAST_STEP, Ending.EXHAUSTED),
    ],
)
def test_a_trial_comes_down_to_its_aim_while_it_has_steps(loss: float, step: int, ending: Ending | None) -> None:
    wide = Band(low=4.0, high=5.0, aim=(4.2, 4.5))
    even = [9.0 + (loss - 9.0) * each / step for each in range(step + 1)]
    assert decide(curve(*even), wide, CLIPS, LAST_STEP) is ending


NEAR = BaseLoss(mean=4.3, deviation=0.2)
"""Of eight clips: a standard error of 0.07."""
WITHIN = BaseLoss(mean=4.18, deviation=0.0)
BELOW = BaseLoss(mean=4.0, deviation=0.2)


@pytest.mark.parametrize(
    ("losses", "base", "learns_from", "ending"),
    [
        # In the band, by no more than the noise below the base model's loss; then by more.
        ((4.3, 4.25, 4.25, 4.25, 4.2), BaseLoss(mean=4.25, deviation=0.2), 0, None),
        ((4.3, 4.25, 4.25, 4.25, 4.2, 4.17), BaseLoss(mean=4.25, deviation=0.2), 0, Ending.IN_BAND),
        ((4.3, 4.3, 4.3, 4.3, 4.2), NEAR, 0, Ending.IN_BAND),
        ((4.18, 4.18, 4.18, 4.18, 4.17), WITHIN, 0, Ending.IN_BAND),
        # Less than half of an epoch.
        ((4.3, 4.3, 4.15), NEAR, 0, None),
        # Untrained at the last step.
        ((*[4.2] * LAST_STEP, 4.19), BaseLoss(mean=4.2, deviation=0.2), 0, Ending.EXHAUSTED),
        ((*[4.2] * LAST_STEP, 4.11), BaseLoss(mean=4.2, deviation=0.2), 0, Ending.IN_BAND),
        # Below the band it ends, trained or not.
        ((4.0, 4.0, 4.0, 4.0, 3.99), BELOW, 0, Ending.OVERSHOT),
        # The first whole epoch: at, above or below the base model's loss.
        ((4.3, 4.3, 4.3, 4.3, 4.3), NEAR, 0, Ending.HOPELESS),
        ((4.18, 4.18, 4.18, 4.18, 4.18), WITHIN, 0, Ending.HOPELESS),
        ((4.3, 4.3, 4.3, 4.3, 4.35), NEAR, 0, Ending.HOPELESS),
        ((4.3, 4.3, 4.3, 4.3, 4.29), NEAR, 0, None),
        # It began well above the base model's loss, so it is in another mode.
        ((4.9, 4.8, 4.7, 4.6, 4.5), NEAR, 0, None),
        ((4.9, 4.9, 4.9, 4.9, 4.9), NEAR, 0, Ending.HOPELESS),
        ((4.4, 4.4, 4.4, 4.4, 4.35), NEAR, 0, Ending.HOPELESS),
        ((4.3, 4.3, 4.3, 4.3), NEAR, 0, None),
        # After the warm-up, and then no more.
        ((4.3, 4.3, 4.3, 4.3, 4.3), NEAR, 3, None),
        ((*[4.3] * 7, 4.3), NEAR, 3, Ending.HOPELESS),
        ((*[4.3] * 7, 4.29, 4.31), NEAR, 3, None),
        ((4.3, 4.3, 4.3, 4.3, 4.3), NEAR, None, None),
        # Never in the last epoch.
        ((*[4.3] * (LAST_STEP - 3), 4.3), NEAR, LAST_STEP - 7, None),
    ],
)
def test_endings_beside_the_base_models_loss(losses, base: BaseLoss, learns_from: int | None, ending) -> None:
    assert decide(curve(*losses), BAND, CLIPS, LAST_STEP, base=base, learns_from=learns_from) is ending


@pytest.mark.parametrize(
    ("step_loss", "ending"), [(0.0, Ending.COLLAPSED), (0.1, Ending.OVERSHOT), (None, Ending.OVERSHOT)]
)
def test_a_step_without_a_loss_collapses_before_the_mean_does(step_loss: float | None, ending: Ending) -> None:
    points = curve(9.0, 8.0, 7.0, 6.0, 3.0)
    points[-1] = points[-1].model_copy(update={"step_loss": step_loss})
    assert decide(points, BAND, CLIPS, LAST_STEP) is ending


@pytest.mark.parametrize("spike", [4.15, 3.0, 0.5])
@pytest.mark.parametrize("at", range(5, 34, 4))
def test_one_spike_ends_nothing(spike: float, at: int) -> None:
    losses = list(fall(9.0, 0.1, 34))
    losses[at] = spike
    endings = [decide(curve(*losses[: n + 1]), BAND, CLIPS, LAST_STEP) for n in range(len(losses))]
    assert {Ending.IN_BAND, Ending.OVERSHOT}.isdisjoint(endings)


def test_where_epochs_have_few_steps_a_fall_counts_at_once() -> None:
    """Three steps per epoch: waiting for the next one would cost a third of an epoch."""
    assert decide(curve(*fall(9.0, 0.1, 9), 4.15), BAND, 6, LAST_STEP) is Ending.IN_BAND


def test_a_curve_without_its_beginning_is_not_hopeless() -> None:
    assert decide(curve(*[9.0] * 12)[-2:], BAND, CLIPS, LAST_STEP) is None
    assert decide(curve(*[9.0] * 13)[-8:], BAND, CLIPS, LAST_STEP) is None


def test_a_gradient_that_is_not_finite_diverges() -> None:
    assert decide(curve(9.0, 8.0, 7.0, 6.0, 4.15, grad_norm=math.nan), BAND, CLIPS, LAST_STEP) is Ending.DIVERGED


@given(
    st.lists(st.floats(0.01, 20), min_size=STEPS_PER_EPOCH, max_size=60),
    st.floats(BAND.low, BAND.high),
    st.floats(BAND.low, BAND.high),
)
def test_a_curve_in_the_band_ends_there_at_most_one_step_later(before: list[float], inside: float, then: float) -> None:
    first, second = (
        decide(curve(*losses), BAND, CLIPS, LAST_STEP) for losses in ((*before, inside), (*before, inside, then))
    )
    assert first in (Ending.IN_BAND, None) and second is Ending.IN_BAND


COURSES = st.sampled_from(
    [
        exponential(6.0, 3.9, 2.0, 8),
        linear(5.5, 3.9, 8),
        sigmoid(5.0, 3.8, 8, 0.6),
        stepped(6.5, 3.7, 8),
        linear(6.0, 5.5, 8),
        exponential(7.0, 5.0, 6.0, 8),
    ]
)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(COURSES, st.integers(0, 99), st.sampled_from([-2.0, -0.5, 1.0, 3.0]))
def test_an_ending_moves_with_its_band(course: Course, seed: int, shift: float) -> None:
    points = observed(course, epochs=8, seed=seed, noise=0.02)
    moved = [point.model_copy(update={"loss": point.loss + shift}) for point in points]
    aim = (BAND.aim[0] + shift, BAND.aim[1] + shift)
    moved_band = Band(low=BAND.low + shift, high=BAND.high + shift, aim=aim)
    assert how_it_ends(points, BAND) == how_it_ends(moved, moved_band)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(COURSES, st.integers(0, 99))
def test_noise_that_is_small_beside_the_band_changes_no_ending(course: Course, seed: int) -> None:
    plain, noisy = (
        how_it_ends(observed(course, 8, clip_spread=0.02, within=within, seed=seed), BAND) for within in (0.0, 0.02)
    )
    assert plain[0] is noisy[0]
    if plain[0] is Ending.IN_BAND:
        assert abs(plain[1] - noisy[1]) <= 4, "half an epoch"


def how_it_ends(points: list[Point], band: Band) -> tuple[Ending | None, int]:
    """The ending and its step."""
    for at in range(len(points)):
        ending = decide(points[: at + 1], band, 32, points[-1].step)
        if ending is not None:
            return ending, points[at].step
    raise AssertionError("the run used up its steps and has not ended")


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ((9.0,), False),
        ((9.0, 8.9, 8.8), False),
        ((6.0, 5.0), True),
        ((6.0, 5.5, 5.2), False),
        ((6.0, 5.5, 4.9), True),
        ((6.0, 5.0, 4.0), False),
    ],
)
def test_a_fall_through_the_floor_is_predicted(losses: tuple[float, ...], expected: bool) -> None:
    assert nears_floor(curve(*losses), BAND, clips_ahead=4) is expected


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ((9.0,), False),
        ((5.0, 4.9), False),
        ((4.39, 4.3), False),
        ((4.41, 4.3), True),
        ((6.0, 5.0), True),
        ((6.0, 4.2), False),
        ((4.3, 4.4), False),
    ],
)
def test_a_step_that_may_jump_over_the_band_is_predicted(losses: tuple[float, ...], expected: bool) -> None:
    """From above the band to below, at twice the pace of the last step."""
    assert may_jump_over(curve(*losses), BAND) is expected


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ((8.2,), False),
        ((4.15,), True),
        ((3.0,), True),
        ((4.15, 4.15), False),
        ((3.0, 4.15), False),
        ((4.15, 8.0), False),
    ],
)
def test_an_outlier_at_the_entry_may_be_a_spike(last: tuple[float, ...], expected: bool) -> None:
    assert may_be_spike(curve(*fall(9.0, 0.1, 7), *last), BAND, CLIPS) is expected


@pytest.mark.parametrize(("low", "high"), [(4.2, 4.1), (4.1, 4.1), (0.0, 1.0), (-1.0, 1.0), (math.nan, 1.0)])
def test_an_impossible_band_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValidationError, match="0 < low < high"):
        Band(low=low, high=high)


@pytest.mark.parametrize(("aim", "expected"), [(None, (1.0, 1.5)), ((0.5, 0.7), (0.5, 0.7)), ((0.9, 1.5), (0.9, 1.5))])
def test_the_aim_is_the_upper_half_by_default(aim: tuple | None, expected: tuple) -> None:
    band = Band(low=0.5, high=1.5, aim=aim)
    assert band.aim == expected
    assert Band.model_validate_json(band.model_dump_json()) == band


@pytest.mark.parametrize("aim", [(0.4, 0.7), (0.7, 1.6), (0.7, 0.7), (0.9, 0.7), (math.nan, 0.9)])
def test_an_aim_outside_its_band_is_refused(aim: tuple[float, float]) -> None:
    with pytest.raises(ValidationError, match="within 0.5–1.5"):
        Band(low=0.5, high=1.5, aim=aim)
