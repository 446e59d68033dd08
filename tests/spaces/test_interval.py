"""Confidence intervals of a share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from spaces.records.interval import ConfidenceInterval, wilson


@given(st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_is_wilsons(case: tuple[int, int]) -> None:
    expected = binomtest(*case).proportion_ci(0.95, method="wilson")
    assert wilson(*case) == pytest.approx((expected.low, expected.high), abs=1e-6)


@pytest.mark.parametrize(("case", "told"), [((0, 20), "0%–16%"), ((1, 20), "1%–24%"), ((0, 0), "0%–100%")])
def test_shares_are_printed_in_per_cent(case: tuple[int, int], told: str) -> None:
    assert str(wilson(*case)) == told


def test_without_observations_everything_is_possible() -> None:
    assert wilson(0, 0) == ConfidenceInterval(0.0, 1.0)


@pytest.mark.parametrize("case", [(-1, 3), (4, 3)])
def test_a_count_outside_is_refused(case: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected a count"):
        wilson(*case)
