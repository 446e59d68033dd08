"""How many benches there should be, and who runs the errands."""

from __future__ import annotations

import itertools
import pickle

import pytest

from search.benches.autoscaling import (
    ORPHAN_SECONDS,
    RETIRE_SECONDS,
    STARTING_SECONDS,
    BenchStatus,
    OrphanSweep,
    StartTimeout,
    scale_down,
    should_scale_up,
    trial_capacity,
)
from search.benches.task_queue import TaskError, TaskProgress, TaskQueue, TaskResult
from search.cluster.failure import LostError


def test_errands_go_to_one_bench_and_their_news_back():
    numbers = itertools.count()
    errands = TaskQueue(lambda: f"errand-{next(numbers)}")
    first, second, third = (errands.ask(work) for work in (b"1", b"2", b"3"))
    assert errands.deal("A").work == b"1" and errands.deal("B").work == b"2"
    errands.tell(first, TaskProgress("half", 1, 2))
    assert errands.take(first) == [TaskProgress("half", 1, 2)] and errands.take(first) == []
    errands.tell(first, TaskResult(b"done"))
    errands.lose("A", "gone")
    errands.lose("B", "gone")
    assert errands.take(first) == [TaskResult(b"done")] and errands.take(second) == [TaskError.of(LostError("gone"))]
    assert isinstance(pickle.loads(errands.take(second)[0].error), LostError)
    errands.lose_waiting(LostError("no bench"))
    assert errands.take(third) == [TaskError.of(LostError("no bench"))] and errands.deal("C") is None


def post(
    name: str, seats: int = 2, free: int = 0, is_open: bool = True, idle_since: float | None = None
) -> BenchStatus:
    return BenchStatus(name, seats, free, is_open, idle_since)


@pytest.mark.parametrize(
    ("posts", "waiting", "most", "short"),
    [
        ([], 1, 1, True),
        ([], 0, 1, False),
        ([post("A")], 1, 1, False),
        ([post("A")], 1, 2, True),
        ([post("A", free=1)], 1, 2, False),
        ([post("A"), post("B", free=2, is_open=False)], 2, 3, False),
        ([post("A"), post("B", free=2, is_open=False)], 3, 3, True),
    ],
)
def test_another_bench_is_launched_when_more_wait_than_will_find_a_seat(posts, waiting, most, short):
    assert should_scale_up(posts, waiting, most) is short


@pytest.mark.parametrize(
    ("posts", "retired"),
    [
        ([post("A", idle_since=0.0)], None),
        ([post("A", idle_since=0.0), post("B", is_open=False)], None),
        ([post("A", idle_since=0.0), post("B")], "A"),
        ([post("A", idle_since=5.0), post("B", idle_since=0.0)], "B"),
        ([post("A", idle_since=1.0), post("B")], None),
        ([post("A"), post("B")], None),
    ],
)
def test_a_bench_nobody_needs_retires_unless_it_is_the_last(posts, retired):
    assert scale_down(posts, RETIRE_SECONDS) == retired


def test_there_is_room_for_as_many_as_sit_and_for_what_makes_another_bench_open():
    one = [post("A", seats=3)]
    assert trial_capacity(one, seats=4, most=1, at_once=99) == 3
    assert trial_capacity(one, seats=4, most=2, at_once=99) == 7
    assert trial_capacity(one, seats=4, most=2, at_once=5) == 5
    assert trial_capacity([], seats=4, most=1, at_once=0) == 1


def test_only_waiting_without_an_open_bench_uses_patience_up():
    vigil = StartTimeout(10)

    def look(now: float, is_open: bool = False, is_wanted: bool = True, has_place: bool = False) -> bool:
        return vigil.look(now, is_open, is_wanted, lambda: has_place)

    assert not look(0, is_wanted=False) and vigil.seconds(100) == 0
    assert not look(100)
    assert not look(110) and vigil.seconds(110) == 10
    assert look(111) and not look(111, has_place=True)
    assert look(111 + STARTING_SECONDS, has_place=True)
    assert not look(800, is_open=True)
    assert not look(813) and vigil.seconds(815) == 2


def test_orphans_are_looked_for_every_so_often_while_somebody_waits():
    watch = OrphanSweep()
    waits = [0.0, 1.0, ORPHAN_SECONDS, ORPHAN_SECONDS + 1, 2 * ORPHAN_SECONDS, 0.0, ORPHAN_SECONDS - 1, ORPHAN_SECONDS]
    assert [watch.is_due(waited) for waited in waits] == [False, False, True, False, True, False, False, True]
