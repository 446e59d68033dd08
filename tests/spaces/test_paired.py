"""Paired comparison of two verdicts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from spaces.records.confirmation import best_strength
from spaces.records.paired import paired_comparison
from spaces.records.verdict import LineKind
from tests.support.made_runs import verdict


def test_the_interval_is_students() -> None:
    differences = [0.1, -0.05, 0.2, 0.0, 0.15]
    compared = paired_comparison(verdict([0.5 + each for each in differences]), verdict([0.5] * 5))
    expected = ttest_1samp(differences, 0).confidence_interval(0.95)
    assert compared.interval == pytest.approx((expected.low, expected.high))
    assert compared.mean == pytest.approx(0.08)


def test_one_line_says_nothing_about_the_spread() -> None:
    assert paired_comparison(verdict([0.9]), verdict([0.1])).interval == (-math.inf, math.inf)


def test_a_hard_line_is_not_compared() -> None:
    one = verdict([0.9, 0.1])
    lines = (one.lines[0], one.lines[1].model_copy(update={"kind": LineKind.HARD}))
    assert paired_comparison(one.model_copy(update={"lines": lines}), verdict([0.9, 0.9])).lines == 1


@given(st.lists(st.floats(0, 1), min_size=2, max_size=24))
def test_a_verdict_is_no_better_than_itself(scores: list[float]) -> None:
    low, high = paired_comparison(verdict(scores), verdict(scores)).interval
    assert low == high == 0


FULL, WORSE = verdict([0.8, 0.7, 0.9, 0.8]), verdict([0.6, 0.5, 0.7, 0.6])
BETTER = verdict([0.9, 0.8, 1.0, 0.9]).model_copy(update={"strength": 0.5})
LUCKIER = verdict([0.7, 0.95, 0.8, 0.8]).model_copy(update={"strength": 0.7})
REJECTED = verdict([0.9, 0.9, 0.9, 0.9], ("garbled",)).model_copy(update={"strength": 0.3})
REJECTED_FULL = verdict([0.9, 0.9, 0.9, 0.9], ("garbled",))


@pytest.mark.parametrize(
    ("full", "weaker", "chosen"),
    [
        (FULL, (), FULL),
        (FULL, (WORSE, BETTER), BETTER),
        (FULL, (LUCKIER,), FULL),
        (FULL, (REJECTED,), FULL),
        (REJECTED_FULL, (WORSE, REJECTED), WORSE),
        (REJECTED_FULL, (REJECTED,), None),
    ],
)
def test_full_strength_is_kept_unless_rejected_or_clearly_worse(full, weaker, chosen) -> None:
    assert best_strength(full, weaker) is chosen
