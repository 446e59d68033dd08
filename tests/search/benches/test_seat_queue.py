"""The seat queue by itself: no trial is seated twice, none is lost, and no event is passed on twice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from results.run.run_folder import RunFolder
from search.benches.messages import BenchCommand, BenchLease, BenchReport
from search.benches.seat_queue import DEADLY, FINAL_DEATHS, HALVING_DEATHS, ONE_SEAT, SeatQueue
from spaces.records.trial import Phase
from tests.support.made_runs import outcome, point, spec
from trainable.training.events import Cancelled, Event, Failed, Finished, Lost, Progress

RUN = RunFolder(Path("run"))


def seat_queue(seats: int = 2) -> SeatQueue:
    ids = itertools.count()
    return SeatQueue(seats, lambda: f"id-{next(ids)}")


def register(queue: SeatQueue, bench: str, node: str = "node") -> BenchLease:
    """A bench starts on a node that lives on."""
    return queue.register_bench(bench, node, {"node"})


def request(queue: SeatQueue, trial: str) -> str:
    return queue.request(spec(RUN, trial))


def poll(queue: SeatQueue, bench: str, seats: int, seated: Sequence[str] = (), *events: Event) -> BenchCommand:
    report = BenchReport(seats, tuple(seated), events)
    queue.record(bench, report)
    return queue.next_command(bench, report)


def at(step: int, trial: str = "x") -> Progress:
    return Progress(trial, point(step), Phase.TRAINING)


def finished(trial: str = "x") -> Finished:
    return Finished(trial, outcome(trial))


def test_trials_are_seated_once_in_the_order_they_came():
    queue = seat_queue()
    register(queue, "A")
    register(queue, "B")
    for trial in "xyz":
        request(queue, trial)
    assert queue.waiting == 3
    assert poll(queue, "A", 0).build_pack
    assert poll(queue, "A", 2).trial_specs == (spec(RUN, "x"), spec(RUN, "y"))
    assert poll(queue, "B", 2).trial_specs == (spec(RUN, "z"),)
    assert poll(queue, "A", 2, "xy").is_empty and poll(queue, "B", 2, "z").is_empty
    assert queue.waiting == 0 and queue.free_seats_of("A") == 0 and queue.free_seats_of("B") == 1


def test_each_event_goes_once_to_the_lease_of_its_trial():
    queue = seat_queue()
    register(queue, "A")
    x, y = request(queue, "x"), request(queue, "y")
    poll(queue, "A", 2)
    poll(queue, "A", 2, "xy", at(1), at(2, "y"), at(3))
    assert queue.take_events(x) == [at(1), at(3)]
    assert queue.take_events(x) == []
    poll(queue, "A", 2, "y", finished())
    assert queue.take_events(x) == [finished()] and queue.take_events(y) == [at(2, "y")]
    assert isinstance(queue.take_events("no lease")[0], Lost)


def test_a_trial_that_comes_back_is_seated_when_its_older_seat_is_free():
    queue = seat_queue()
    register(queue, "A")
    register(queue, "B")
    older = request(queue, "x")
    poll(queue, "A", 1)
    newer = queue.request(spec(RUN, "x", seed=2))
    assert queue.waiting == 0 and poll(queue, "B", 1).is_empty
    assert poll(queue, "A", 1, "x", at(7)).dismissed == ("x",)
    assert poll(queue, "B", 1).is_empty
    assert poll(queue, "A", 1, ()).trial_specs == (spec(RUN, "x", seed=2),)
    assert queue.take_events(newer) == []
    assert isinstance(queue.take_events(older)[0], Lost)
    queue.release(older)
    poll(queue, "A", 1, "x", at(8))
    assert queue.take_events(newer) == [at(8)]


@pytest.mark.parametrize("release", [SeatQueue.release, lambda queue, _: queue.release_trial("x")])
def test_the_seat_of_a_released_lease_is_freed(release):
    queue = seat_queue()
    register(queue, "A")
    lease = request(queue, "x")
    poll(queue, "A", 1)
    for _ in range(2):
        release(queue, lease)
    assert poll(queue, "A", 1, "x").dismissed == ("x",)
    assert poll(queue, "A", 1).is_empty and queue.is_idle("A")
    release(queue, request(queue, "y"))


def test_a_trial_that_is_released_while_it_waits_is_not_seated():
    queue = seat_queue()
    register(queue, "A")
    queue.release(request(queue, "x"))
    assert queue.waiting == 0 and poll(queue, "A", 1).is_empty


def test_a_bench_that_starts_again_has_lost_its_trials_and_its_older_generation_is_not_current():
    queue = seat_queue()
    first = register(queue, "A").generation
    lease = request(queue, "x")
    poll(queue, "A", 1)
    second = register(queue, "A").generation
    assert not queue.is_current("A", first) and queue.is_current("A", second)
    assert isinstance(queue.take_events(lease)[0], Lost)
    queue.release(lease)
    request(queue, "x")
    assert poll(queue, "A", 1).trial_specs == (spec(RUN, "x"),)


def test_a_command_that_never_arrived_is_noticed():
    queue = seat_queue()
    register(queue, "A")
    lease = request(queue, "x")
    assert poll(queue, "A", 1).trial_specs == (spec(RUN, "x"),)
    assert poll(queue, "A", 1, ()).trial_specs == ()
    assert isinstance(queue.take_events(lease)[0], Lost)


@pytest.mark.parametrize(("seats", "granted"), [(8, 4), (3, 1), (2, 1)])
def test_a_starved_bench_gets_half_its_seats_and_its_trials_go_on(seats, granted):
    queue = seat_queue(8)
    generation = register(queue, "A").generation
    lease = request(queue, "x")
    poll(queue, "A", seats)
    queue.out_of_memory("A", generation)
    queue.out_of_memory("A", generation)
    assert isinstance(queue.take_events(lease)[0], Lost)
    assert register(queue, "A").seats == granted


def test_a_trial_that_runs_out_of_memory_twice_in_a_single_seat_fails():
    queue = seat_queue(1)
    for expected in (Lost("x", "its bench ran out of memory"), Failed("x", ONE_SEAT)):
        generation = register(queue, "A").generation
        seated = request(queue, "x")
        poll(queue, "A", 1)
        waiting = request(queue, "y")
        queue.out_of_memory("A", generation)
        assert queue.take_events(seated) == [expected] and queue.take_events(waiting) == []
        queue.release(waiting)


def test_a_base_that_does_not_fit_twice_fails_the_waiting_trials():
    queue = seat_queue(1)
    base = request(queue, "z")
    queue.out_of_memory("A", register(queue, "A").generation)
    assert queue.take_events(base) == []
    queue.out_of_memory("A", register(queue, "A").generation)
    assert queue.take_events(base) == [Failed("z", ONE_SEAT)]


def test_a_bench_that_dies_without_finishing_a_trial_gets_fewer_seats_and_at_last_the_waiting_trials_fail():
    queue = seat_queue(8)
    lease = request(queue, "x")
    granted = [register(queue, "A").seats for _ in range(FINAL_DEATHS + 1)]
    assert granted == [max(1, 8 // 2 ** (deaths // HALVING_DEATHS)) for deaths in range(FINAL_DEATHS + 1)]
    (failed,) = queue.take_events(lease)
    assert isinstance(failed, Failed) and f"{FINAL_DEATHS} times" in failed.reason


def die_of(queue: SeatQueue, poison: str, trials: str, node: str = "node") -> list[str]:
    """A bench of eight seats takes every trial that waits. All make progress until the poison is seated, and then the
    bench dies. Returns the trials of each life of the bench, until it survives or the poison has failed."""
    leases, lives, further = {trial: request(queue, trial) for trial in trials}, [], 0
    while True:
        register(queue, "A", node)
        seated: list[str] = []
        while given := poll(queue, "A", 8, seated, *(at(further, trial) for trial in seated)).trial_specs:
            seated += [each.trial for each in given]
            further += 1
            if poison in seated:
                break
        lives.append("".join(seated))
        if poison not in seated:
            return lives
        register(queue, "A", node)
        for trial in seated:
            last = queue.take_events(leases[trial])[-1]
            queue.release(leases[trial])
            if last == Failed(trial, DEADLY):
                return lives
            assert isinstance(last, Lost)
            leases[trial] = request(queue, trial)


@pytest.mark.parametrize("poison", "abcdefgh")
def test_a_draw_that_kills_its_bench_is_found_among_eight_and_the_others_keep_their_seats(poison):
    queue = seat_queue(8)
    lives = die_of(queue, poison, "abcdefgh")
    assert lives[:2] == ["abcdefgh"] * 2
    # A trial that made progress without the poison is suspected no more, and may sit beside the next suspect.
    assert lives[2].endswith(poison) and len(lives) == 3
    assert register(queue, "A").seats == 8


def test_a_draw_that_kills_a_bench_without_neighbours_fails_the_second_time():
    queue = seat_queue(1)
    for expected in (Lost, Failed):
        register(queue, "A")
        lease = request(queue, "x")
        poll(queue, "A", 1)
        register(queue, "A")
        assert isinstance(queue.take_events(lease)[0], expected)
        queue.release(lease)


@pytest.mark.parametrize("node", ["node", "a node that is gone"])
def test_a_node_that_is_gone_is_no_fault_of_its_trials(node):
    queue, events = seat_queue(1), []
    for _ in range(HALVING_DEATHS):
        register(queue, "A", node)
        lease = request(queue, "x")
        poll(queue, "A", 1)
        register(queue, "A", node)
        events += queue.take_events(lease)
        queue.release(lease)
    assert (Failed("x", DEADLY) in events) == (node == "node")


def test_deaths_between_trials_that_end_cost_no_seats():
    queue = seat_queue(4)
    for trial in "abcdefgh":
        assert register(queue, "A").seats == 4
        lease = request(queue, trial)
        poll(queue, "A", 4)
        poll(queue, "A", 4, (), finished(trial))
        queue.release(lease)


def test_a_stopped_search_cancels_waiting_trials():
    queue = seat_queue()
    register(queue, "A")
    seated, waiting = request(queue, "x"), request(queue, "y")
    poll(queue, "A", 1)
    queue.stop()
    assert poll(queue, "A", 2, "x").stop and queue.take_events(seated) == []
    assert queue.take_events(waiting) == [Cancelled("y")]
    assert queue.take_events(request(queue, "z")) == [Cancelled("z")]


class QueueMachine(RuleBasedStateMachine):
    """Two benches that seat, train and end trials, die and lose commands, and trials whose processes come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = seat_queue(3)
        self.leases: dict[str, str] = {}
        self.generations: dict[str, str] = {}
        self.seated: dict[str, set[str]] = {"A": set(), "B": set()}
        self.events: dict[str, list[Event]] = {"A": [], "B": []}
        self.steps = itertools.count()
        self.received: dict[str, list[int]] = {}
        self.finished: set[str] = set()

    @rule(trial=st.sampled_from("uvwxyz"))
    def request(self, trial):
        if trial not in self.finished:
            self.leases[trial] = request(self.queue, trial)
            self.received[self.leases[trial]] = []

    @rule(trial=st.sampled_from("uvwxyz"))
    def release(self, trial):
        self.queue.release(self.leases.pop(trial, "none"))

    @rule(bench=st.sampled_from("AB"))
    def start(self, bench):
        self.generations[bench] = register(self.queue, bench).generation
        self.seated[bench], self.events[bench] = set(), []

    @rule(bench=st.sampled_from("AB"), arrives=st.booleans())
    def poll(self, bench, arrives):
        if not self.queue.is_current(bench, self.generations.get(bench, "")):
            return
        command = poll(self.queue, bench, 3, sorted(self.seated[bench]), *self.events[bench])
        self.events[bench] = []
        if not arrives:
            return
        assert len(self.seated[bench]) + len(command.trial_specs) <= 3
        for trial in command.dismissed:
            self.seated[bench].remove(trial)
        for trial in (given.trial for given in command.trial_specs):
            assert trial not in self.seated["A"] | self.seated["B"], "two seats would write one folder"
            assert trial not in self.finished, "a trial that has ended is not seated again"
            self.seated[bench].add(trial)

    @rule(bench=st.sampled_from("AB"), is_last=st.booleans())
    def train(self, bench, is_last):
        for trial in sorted(self.seated[bench]):
            step = next(self.steps)
            self.events[bench].append(at(step, trial))
            if is_last:
                self.events[bench].append(finished(trial))
                self.seated[bench].remove(trial)

    @rule(trial=st.sampled_from("uvwxyz"))
    def take(self, trial):
        if trial not in self.leases:
            return
        for event in self.queue.take_events(self.leases[trial]):
            if isinstance(event, Progress):
                self.received[self.leases[trial]].append(event.point.step)
            else:
                if isinstance(event, Finished):
                    self.finished.add(trial)
                self.queue.release(self.leases.pop(trial))
                break

    @invariant()
    def events_come_in_order_and_never_twice(self):
        steps = [step for received in self.received.values() for step in received]
        assert len(steps) == len(set(steps))
        assert all(received == sorted(received) for received in self.received.values())

    def teardown(self):
        """With benches at work every trial that holds a lease comes to its end, and then no seat is taken."""
        for bench in "AB":
            self.start(bench)
        for _ in range(6):
            for bench in "AB":
                self.poll(bench, True)
                self.train(bench, True)
                self.poll(bench, True)
            for trial in "uvwxyz":
                self.take(trial)
        assert not self.leases and self.queue.waiting == 0
        assert self.queue.is_idle("A") and self.queue.is_idle("B")


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
