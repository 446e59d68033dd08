"""How many benches there should be, and which bench runs a task."""

from __future__ import annotations

import itertools
import pickle

import pytest

from search.benches.autoscaling import (
    IDLE_SECONDS,
    STARTING_SECONDS,
    SWEEP_SECONDS,
    BenchStatus,
    OrphanSweep,
    StartTimeout,
    scale_down,
    should_scale_up,
    trial_capacity,
)
from search.benches.task_queue import TaskError, TaskProgress, TaskQueue, TaskResult
from search.cluster.failure import LostError


def test_a_task_goes_to_one_bench_and_its_updates_come_back():
    ids = itertools.count()
    tasks = TaskQueue(lambda: f"task-{next(ids)}")
    first, second, third = (tasks.submit(work) for work in (b"1", b"2", b"3"))
    assert tasks.assign("A").work == b"1" and tasks.assign("B").work == b"2"
    tasks.add_update(first, TaskProgress("half", 1, 2))
    assert tasks.take_updates(first) == [TaskProgress("half", 1, 2)] and tasks.take_updates(first) == []
    tasks.add_update(first, TaskResult(b"done"))
    tasks.lose_bench("A", "gone")
    tasks.lose_bench("B", "gone")
    assert tasks.take_updates(first) == [TaskResult(b"done")] and tasks.take_updates(second) == [
        TaskError.of(LostError("gone"))
    ]
    assert isinstance(pickle.loads(tasks.take_updates(second)[0].error), LostError)
    tasks.fail_waiting(LostError("no bench"))
    assert tasks.take_updates(third) == [TaskError.of(LostError("no bench"))] and tasks.assign("C") is None


def bench(
    name: str, seats: int = 2, free: int = 0, is_open: bool = True, idle_since: float | None = None
) -> BenchStatus:
    return BenchStatus(name, seats, free, is_open, idle_since)


@pytest.mark.parametrize(
    ("benches", "waiting", "max_benches", "scales_up"),
    [
        ([], 1, 1, True),
        ([], 0, 1, False),
        ([bench("A")], 1, 1, False),
        ([bench("A")], 1, 2, True),
        ([bench("A", free=1)], 1, 2, False),
        ([bench("A"), bench("B", free=2, is_open=False)], 2, 3, False),
        ([bench("A"), bench("B", free=2, is_open=False)], 3, 3, True),
    ],
)
def test_another_bench_is_launched_when_more_wait_than_will_find_a_seat(benches, waiting, max_benches, scales_up):
    assert should_scale_up(benches, waiting, max_benches) is scales_up


@pytest.mark.parametrize(
    ("benches", "closes"),
    [
        ([bench("A", idle_since=0.0)], None),
        ([bench("A", idle_since=0.0), bench("B", is_open=False)], None),
        ([bench("A", idle_since=0.0), bench("B")], "A"),
        ([bench("A", idle_since=5.0), bench("B", idle_since=0.0)], "B"),
        ([bench("A", idle_since=1.0), bench("B")], None),
        ([bench("A"), bench("B")], None),
    ],
)
def test_an_idle_bench_closes_unless_it_is_the_last(benches, closes):
    assert scale_down(benches, IDLE_SECONDS) == closes


def test_the_capacity_is_one_per_seat_and_enough_to_make_another_bench_open():
    one = [bench("A", seats=3)]
    assert trial_capacity(one, seats=4, max_benches=1, max_concurrent=99) == 3
    assert trial_capacity(one, seats=4, max_benches=2, max_concurrent=99) == 7
    assert trial_capacity(one, seats=4, max_benches=2, max_concurrent=5) == 5
    assert trial_capacity([], seats=4, max_benches=1, max_concurrent=0) == 1


def test_only_waiting_without_an_open_bench_uses_patience_up():
    timeout = StartTimeout(10)

    def update(now: float, is_open: bool = False, is_wanted: bool = True, has_node: bool = False) -> bool:
        return timeout.update(now, is_open, is_wanted, lambda: has_node)

    assert not update(0, is_wanted=False) and timeout.seconds(100) == 0
    assert not update(100)
    assert not update(110) and timeout.seconds(110) == 10
    assert update(111) and not update(111, has_node=True)
    assert update(111 + STARTING_SECONDS, has_node=True)
    assert not update(800, is_open=True)
    assert not update(813) and timeout.seconds(815) == 2


def test_orphans_are_looked_for_every_few_seconds_of_waiting():
    sweep = OrphanSweep()
    waits = [0.0, 1.0, SWEEP_SECONDS, SWEEP_SECONDS + 1, 2 * SWEEP_SECONDS, 0.0, SWEEP_SECONDS - 1, SWEEP_SECONDS]
    assert [sweep.is_due(waited) for waited in waits] == [False, False, True, False, True, False, False, True]
