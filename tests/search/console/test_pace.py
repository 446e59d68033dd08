"""The time left of work that is counted."""

from __future__ import annotations

import pytest

from search.console import plain
from search.console.plain import ProgressRate


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(plain, "time", clock)
    return clock


def test_the_time_left_comes_from_the_rate_so_far(clock) -> None:
    describe = ProgressRate().describe
    assert describe("encoding", 10, 100) == "encoding 10/100"
    clock.now += 1
    assert describe("encoding", 11, 100) == "encoding 11/100"
    clock.now += 59
    assert describe("encoding", 20, 100) == "encoding 20/100, about 8 min left"
    clock.now += 120
    assert describe("encoding", 95, 100) == "encoding 95/100, less than a minute left"
    assert describe("encoding", 100, 100) == "encoding 100/100"


def test_other_work_has_its_own_rate(clock) -> None:
    describe = ProgressRate().describe
    describe("measuring", 0, 100)
    clock.now += 600
    assert describe("encoding", 1, 100) == "encoding 1/100"
    assert describe("calibrating", 0, 1) == "calibrating"
