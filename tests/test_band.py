"""Curves and how they end."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spaces.band import Band
from spaces.ending import Ending
from spaces.trial import Losses, Point
from trainable.band import decide, nears_floor

BAND = Band(low=4.1, high=4.2)
CLIPS = 8
STEPS_PER_EPOCH = 4
LAST_STEP = 40


def curve(*losses: float, grad_norm: float = 1.0) -> list[Point]:
    """One point per optimizer step of two clips, from step 0."""
    return [
        Point(
            step=step,
            clips=2 * step,
            epoch=2 * step / CLIPS,
            loss=loss,
            losses=Losses(guide=loss, aligned=loss, talker=loss, eos=loss, sub=loss, sub_shifted=loss),
            grad_norm=grad_norm,
            lora_lr=1e-5,
            text_projection_lr=0.0,
            seconds=0.0,
            audio_seconds=0.0,
        )
        for step, loss in enumerate(losses)
    ]


def fall(start: float, by: float, steps: int) -> tuple[float, ...]:
    return tuple(start - by * step for step in range(steps + 1))


@pytest.mark.parametrize(
    ("losses", "ending"),
    [
        ((9.0,), None),
        (fall(9.0, 0.2, 6), None),
        ((9.0, 8.0, 4.15), Ending.IN_BAND),
        ((9.0, 4.15), None),
        ((9.0, 8.0, 4.2), Ending.IN_BAND),
        ((9.0, 8.0, 4.1), Ending.IN_BAND),
        ((9.0, 8.0, 4.0999), Ending.OVERSHOT),
        ((9.0, 4.0), None),
        ((9.0, math.nan), Ending.DIVERGED),
        ((math.inf,), Ending.DIVERGED),
        ((9.0, -math.inf), Ending.DIVERGED),
        ((0.0,), Ending.COLLAPSED),
        ((9.0, 0.00004), Ending.COLLAPSED),
        ((9.0, 8.0, 0.0001), Ending.OVERSHOT),
        (fall(9.0, 0.01, 7), None),
        (fall(9.0, 0.01, 8), Ending.HOPELESS),
        (fall(9.0, 0.2, 8), None),
        (tuple([9.0] * 9), Ending.HOPELESS),
        (tuple(9.0 + 0.1 * step for step in range(9)), Ending.HOPELESS),
        (fall(9.0, 0.1, LAST_STEP), Ending.EXHAUSTED),
    ],
)
def test_endings(losses: tuple[float, ...], ending: Ending | None) -> None:
    assert decide(curve(*losses), BAND, CLIPS, LAST_STEP) is ending


def test_a_curve_without_its_beginning_is_not_given_up() -> None:
    assert decide(curve(*[9.0] * 12)[-2:], BAND, CLIPS, LAST_STEP) is None


def test_a_gradient_that_is_not_finite_diverges() -> None:
    assert decide(curve(9.0, 8.0, 4.15, grad_norm=math.nan), BAND, CLIPS, LAST_STEP) is Ending.DIVERGED


@given(
    st.lists(st.floats(0.01, 20), min_size=STEPS_PER_EPOCH // 2, max_size=60),
    st.floats(BAND.low, BAND.high),
)
def test_a_curve_in_the_band_ends_in_it(before: list[float], inside: float) -> None:
    assert decide(curve(*before, inside), BAND, CLIPS, LAST_STEP) is Ending.IN_BAND


@given(st.lists(st.floats(4.3, 20), min_size=1, max_size=39), st.floats(-3, 3))
def test_an_ending_moves_with_its_band(losses: list[float], shift: float) -> None:
    moved = Band(low=BAND.low + shift, high=BAND.high + shift)
    shifted = curve(*(loss + shift for loss in losses))
    here, there = decide(curve(*losses), BAND, CLIPS, LAST_STEP), decide(shifted, moved, CLIPS, LAST_STEP)
    assert here is there or {here, there} == {None, Ending.HOPELESS}  # rounding on the very edge of the forecast


@pytest.mark.parametrize(
    ("losses", "near"),
    [
        ((9.0,), False),
        ((9.0, 8.9, 8.8), False),
        ((6.0, 5.0), True),
        ((6.0, 5.5, 5.2), False),
        ((6.0, 5.5, 4.9), True),
        ((6.0, 5.0, 4.0), False),
    ],
)
def test_a_fall_through_the_floor_is_foreseen(losses: tuple[float, ...], near: bool) -> None:
    assert nears_floor(curve(*losses), BAND, clips_ahead=4) is near


@pytest.mark.parametrize(("low", "high"), [(4.2, 4.1), (4.1, 4.1), (0.0, 1.0), (-1.0, 1.0), (math.nan, 1.0)])
def test_an_impossible_band_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValidationError, match="0 < low < high"):
        Band(low=low, high=high)
