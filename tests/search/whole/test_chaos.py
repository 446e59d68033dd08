"""Searches killed at random moments: see `tests.soak.chaos`, whose longer form is `make soak`."""

from __future__ import annotations

import pytest

from tests.soak.chaos import chaos

pytestmark = pytest.mark.ray


@pytest.mark.soak
def test_a_search_that_is_killed_again_and_again_loses_nothing(tmp_path) -> None:
    left = chaos(tmp_path, resumes=1, seed=1, is_demo=False, trials=6)
    assert len(left.ended) == 6
