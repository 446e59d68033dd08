"""The learning rates over a run."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.draw import Draw, Schedule
from tests.support import made_runs
from trainable.training.lr_schedule import learning_rate_factor


def draw(schedule: Schedule = Schedule.COSINE, warmup: float = 0, floor: float = 0.0, cycles: int = 1) -> Draw:
    return made_runs.draw(schedule=schedule, warmup=warmup, lr_floor=floor, lr_cycles=cycles)


@pytest.mark.parametrize(
    ("step", "warmup", "factor"),
    [
        *[(0, 0, 1.0), (9, 0, 1.0), (0, 3, 0.25), (1, 3, 0.5), (3, 3, 1.0), (90, 3, 1.0)],
        # A share of the run's 100 steps; an interval of steps may be written with a point.
        *[(0, 0.03, 0.25), (3, 0.03, 1.0), (49, 0.5, 50 / 51), (50, 0.5, 1.0), (1, 3.0, 0.5), (1, 2.6, 0.5)],
    ],
)
def test_warm_up_and_then_constant(step: int, warmup: float, factor: float) -> None:
    assert learning_rate_factor(step, draw(Schedule.CONSTANT, warmup), 100) == factor


@pytest.mark.parametrize(
    ("step", "factor"), [(0, 0.25), (2, 0.75), (3, 1.0), (3 + 32, 0.6), (3 + 16, 0.6 + 0.4 * math.sqrt(0.5))]
)
def test_a_cosine_falls_from_where_warm_up_ends(step: int, factor: float) -> None:
    """64 steps from 1 to 0.2, the middle of which is half way down."""
    assert learning_rate_factor(step, draw(warmup=3, floor=0.2), 67) == pytest.approx(factor)


@pytest.mark.parametrize("floor", [0.0, 0.1, 1.0])
def test_the_last_step_is_one_short_of_the_floor(floor: float) -> None:
    chosen = draw(floor=floor)
    expected = floor + (1 - floor) * (1 - math.cos(math.pi / 40)) / 2
    assert learning_rate_factor(39, chosen, 40) == pytest.approx(expected)


@given(
    st.integers(0, 30),
    st.floats(0, 1),
    st.integers(1, 9),
    st.integers(1, 300).flatmap(lambda last: st.tuples(st.integers(0, last - 1), st.just(last))),
)
def test_no_factor_leaves_its_range(warmup: int, floor: float, cycles: int, at: tuple[int, int]) -> None:
    factor = learning_rate_factor(at[0], draw(warmup=warmup, floor=floor, cycles=cycles), at[1])
    assert (0 if at[0] < warmup else floor) <= factor <= 1


@given(st.integers(0, 20), st.floats(0, 0.9), st.integers(1, 6), st.integers(2, 30))
def test_each_wave_starts_at_one_and_falls(warmup: int, floor: float, cycles: int, length: int) -> None:
    chosen, last_step = draw(warmup=warmup, floor=floor, cycles=cycles), warmup + cycles * length
    factors = [learning_rate_factor(step, chosen, last_step) for step in range(warmup, last_step)]
    waves = [factors[start : start + length] for start in range(0, len(factors), length)]
    assert waves == [waves[0]] * cycles
    assert waves[0][0] == 1.0
    assert all(later < earlier for earlier, later in zip(waves[0], waves[0][1:], strict=False))


@given(st.integers(1, 50), st.integers(1, 50))
def test_a_run_that_ends_within_its_warm_up_only_climbs(warmup: int, last_step: int) -> None:
    factors = [learning_rate_factor(step, draw(warmup=warmup + last_step), last_step) for step in range(last_step)]
    assert factors == sorted(set(factors)) and factors[-1] < 1
