"""Who sits where, told by the books alone: no order is carried out twice, none is lost, and no event is told twice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from search.benches.messages import BenchCommand, BenchLease, BenchReport
from search.benches.seat_queue import BARREN_DEATHS, DEADLY, FUTILE_DEATHS, ONE_SEAT, SeatQueue
from spaces.records.trial import Phase
from tests.support.made_runs import outcome, point
from trainable.training.events import Cancelled, Event, Failed, Finished, Lost, Progress


def orders(seats: int = 2) -> SeatQueue:
    numbers = itertools.count()
    return SeatQueue(seats, lambda: f"name-{next(numbers)}")


def opened(books: SeatQueue, bench: str, node: str = "node") -> BenchLease:
    """A bench starts on a node that lives on."""
    return books.open(bench, node, {"node"})


def asks(books: SeatQueue, bench: str, seats: int, seated: Sequence[str] = (), *events: Event) -> BenchCommand:
    standing = BenchReport(seats, tuple(seated), events)
    books.hear(bench, standing)
    return books.answer(bench, standing)


def at(step: int, trial: str = "x") -> Progress:
    return Progress(trial, point(step), Phase.TRAINING)


def finished(trial: str = "x") -> Finished:
    return Finished(trial, outcome(trial))


def test_orders_are_handed_out_once_in_the_order_they_came():
    books = orders()
    opened(books, "A")
    opened(books, "B")
    for trial in "xyz":
        books.join(trial, f"job of {trial}")
    assert books.waiting == 3
    assert asks(books, "A", 0).is_wanted
    assert asks(books, "A", 2).jobs == ("job of x", "job of y")
    assert asks(books, "B", 2).jobs == ("job of z",)
    assert asks(books, "A", 2, "xy").is_empty and asks(books, "B", 2, "z").is_empty
    assert books.waiting == 0 and books.free_of("A") == 0 and books.free_of("B") == 1


def test_each_event_is_heard_once_and_by_its_own_trial():
    books = orders()
    opened(books, "A")
    x, y = books.join("x", "x"), books.join("y", "y")
    asks(books, "A", 2)
    asks(books, "A", 2, "xy", at(1), at(2, "y"), at(3))
    assert books.take(x) == [at(1), at(3)]
    assert books.take(x) == []
    asks(books, "A", 2, "y", finished())
    assert books.take(x) == [finished()] and books.take(y) == [at(2, "y")]
    assert isinstance(books.take("no ticket")[0], Lost)


def test_a_trial_that_comes_back_is_seated_when_its_older_seat_is_free():
    books = orders()
    opened(books, "A")
    opened(books, "B")
    older = books.join("x", "x")
    asks(books, "A", 1)
    newer = books.join("x", "x again")
    assert books.waiting == 0 and asks(books, "B", 1).is_empty
    assert asks(books, "A", 1, "x", at(7)).dismissed == ("x",)
    assert asks(books, "B", 1).is_empty
    assert asks(books, "A", 1, ()).jobs == ("x again",)
    assert books.take(newer) == []
    assert isinstance(books.take(older)[0], Lost)
    books.leave(older)
    asks(books, "A", 1, "x", at(8))
    assert books.take(newer) == [at(8)]


@pytest.mark.parametrize("leave", [lambda books, ticket: books.leave(ticket), lambda books, _: books.leave_trial("x")])
def test_a_seat_that_nobody_waits_for_is_freed(leave):
    books = orders()
    opened(books, "A")
    ticket = books.join("x", "x")
    asks(books, "A", 1)
    for _ in range(2):
        leave(books, ticket)
    assert asks(books, "A", 1, "x").dismissed == ("x",)
    assert asks(books, "A", 1).is_empty and books.is_idle("A")
    leave(books, books.join("y", "y"))


def test_one_who_leaves_while_he_waits_is_not_seated():
    books = orders()
    opened(books, "A")
    books.leave(books.join("x", "x"))
    assert books.waiting == 0 and asks(books, "A", 1).is_empty


def test_a_bench_that_starts_again_has_lost_its_trials_and_its_older_self_does_not_count():
    books = orders()
    first = opened(books, "A").generation
    ticket = books.join("x", "x")
    asks(books, "A", 1)
    second = opened(books, "A").generation
    assert not books.is_current("A", first) and books.is_current("A", second)
    assert isinstance(books.take(ticket)[0], Lost)
    books.leave(ticket)
    books.join("x", "x")
    assert asks(books, "A", 1).jobs == ("x",)


def test_an_answer_that_never_arrived_is_noticed():
    books = orders()
    opened(books, "A")
    ticket = books.join("x", "x")
    assert asks(books, "A", 1).jobs == ("x",)
    assert asks(books, "A", 1, ()).jobs == ()
    assert isinstance(books.take(ticket)[0], Lost)


@pytest.mark.parametrize(("seats", "granted"), [(8, 4), (3, 1), (2, 1)])
def test_a_starved_bench_gets_half_its_seats_and_its_trials_go_on(seats, granted):
    books = orders(8)
    generation = opened(books, "A").generation
    ticket = books.join("x", "x")
    asks(books, "A", seats)
    books.starve("A", generation)
    books.starve("A", generation)
    assert isinstance(books.take(ticket)[0], Lost)
    assert opened(books, "A").seats == granted


def test_with_a_single_seat_it_is_the_trial_that_is_too_large_when_it_is_so_twice():
    books = orders(1)
    for expected in (Lost("x", "its bench ran out of memory"), Failed("x", ONE_SEAT)):
        generation = opened(books, "A").generation
        seated = books.join("x", "x")
        asks(books, "A", 1)
        waiting = books.join("y", "y")
        books.starve("A", generation)
        assert books.take(seated) == [expected] and books.take(waiting) == []
        books.leave(waiting)


def test_a_base_that_does_not_fit_twice_fails_those_who_wait_for_it():
    books = orders(1)
    base = books.join("z", "z")
    books.starve("A", opened(books, "A").generation)
    assert books.take(base) == []
    books.starve("A", opened(books, "A").generation)
    assert books.take(base) == [Failed("z", ONE_SEAT)]


def test_a_bench_that_dies_in_vain_gets_fewer_seats_and_at_last_nobody_waits_for_it():
    books = orders(8)
    ticket = books.join("x", "x")
    granted = [opened(books, "A").seats for _ in range(FUTILE_DEATHS + 1)]
    assert granted == [max(1, 8 // 2 ** (deaths // BARREN_DEATHS)) for deaths in range(FUTILE_DEATHS + 1)]
    (failed,) = books.take(ticket)
    assert isinstance(failed, Failed) and f"{FUTILE_DEATHS} times" in failed.reason


def die_of(books: SeatQueue, poison: str, trials: str, node: str = "node") -> list[str]:
    """A bench of eight seats seats whoever wants to; each gets further in its life, but dies with it where the poison
    sits. Returns who sat there in each life, until nobody has died or the poison has failed."""
    tickets, lives, further = {trial: books.join(trial, trial) for trial in trials}, [], 0
    while True:
        opened(books, "A", node)
        seated: list[str] = []
        while given := asks(books, "A", 8, seated, *(at(further, trial) for trial in seated)).jobs:
            seated += given
            further += 1
            if poison in seated:
                break
        lives.append("".join(seated))
        if poison not in seated:
            return lives
        opened(books, "A", node)
        for trial in seated:
            said = books.take(tickets[trial])[-1]
            books.leave(tickets[trial])
            if said == Failed(trial, DEADLY):
                return lives
            assert isinstance(said, Lost)
            tickets[trial] = books.join(trial, trial)


@pytest.mark.parametrize("poison", "abcdefgh")
def test_a_draw_that_kills_its_bench_is_found_among_eight_and_the_others_keep_their_seats(poison):
    books = orders(8)
    lives = die_of(books, poison, "abcdefgh")
    assert lives[:2] == ["abcdefgh"] * 2
    # Whoever came further while the poison was not there is beyond suspicion, and may sit beside the next suspect.
    assert lives[2].endswith(poison) and len(lives) == 3
    assert opened(books, "A").seats == 8


def test_a_draw_that_kills_a_bench_of_its_own_has_failed_at_the_second_time():
    books = orders(1)
    for expected in (Lost, Failed):
        opened(books, "A")
        ticket = books.join("x", "x")
        asks(books, "A", 1)
        opened(books, "A")
        assert isinstance(books.take(ticket)[0], expected)
        books.leave(ticket)


@pytest.mark.parametrize("node", ["node", "a node that is gone"])
def test_a_node_that_goes_is_no_fault_of_the_trials_that_sat_there(node):
    books, heard = orders(1), []
    for _ in range(BARREN_DEATHS):
        opened(books, "A", node)
        ticket = books.join("x", "x")
        asks(books, "A", 1)
        opened(books, "A", node)
        heard += books.take(ticket)
        books.leave(ticket)
    assert (Failed("x", DEADLY) in heard) == (node == "node")


def test_deaths_between_trials_that_end_cost_no_seats():
    books = orders(4)
    for trial in "abcdefgh":
        assert opened(books, "A").seats == 4
        ticket = books.join(trial, trial)
        asks(books, "A", 4)
        asks(books, "A", 4, (), finished(trial))
        books.leave(ticket)


def test_a_stopped_search_seats_nobody_and_says_so():
    books = orders()
    opened(books, "A")
    seated, waiting = books.join("x", "x"), books.join("y", "y")
    asks(books, "A", 1)
    books.stop()
    assert asks(books, "A", 2, "x").stop and books.take(seated) == []
    assert books.take(waiting) == [Cancelled("y")] and books.take(books.join("z", "z")) == [Cancelled("z")]


class DeskMachine(RuleBasedStateMachine):
    """Two benches that seat, train and end trials, die and lose answers, and trials whose processes come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.books = orders(3)
        self.tickets: dict[str, str] = {}
        self.generations: dict[str, str] = {}
        self.seated: dict[str, set[str]] = {"A": set(), "B": set()}
        self.events: dict[str, list[Event]] = {"A": [], "B": []}
        self.steps = itertools.count()
        self.sent: dict[str, list[int]] = {}
        self.heard: dict[str, list[int]] = {}
        self.over: set[str] = set()

    @rule(trial=st.sampled_from("uvwxyz"))
    def join(self, trial):
        if trial not in self.over:
            self.tickets[trial] = self.books.join(trial, trial)
            self.sent[self.tickets[trial]], self.heard[self.tickets[trial]] = [], []

    @rule(trial=st.sampled_from("uvwxyz"))
    def leave(self, trial):
        self.books.leave(self.tickets.pop(trial, "none"))

    @rule(bench=st.sampled_from("AB"))
    def start(self, bench):
        self.generations[bench] = opened(self.books, bench).generation
        self.seated[bench], self.events[bench] = set(), []

    @rule(bench=st.sampled_from("AB"), is_heard=st.booleans())
    def poll(self, bench, is_heard):
        if not self.books.is_current(bench, self.generations.get(bench, "")):
            return
        answer = asks(self.books, bench, 3, sorted(self.seated[bench]), *self.events[bench])
        self.events[bench] = []
        if not is_heard:
            return
        assert len(self.seated[bench]) + len(answer.jobs) <= 3
        for trial in answer.dismissed:
            self.seated[bench].remove(trial)
        for trial in answer.jobs:
            assert trial not in self.seated["A"] | self.seated["B"], "two seats would write one folder"
            assert trial not in self.over, "a trial that has ended is not seated again"
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
    def listen(self, trial):
        if trial not in self.tickets:
            return
        for event in self.books.take(self.tickets[trial]):
            if isinstance(event, Progress):
                self.heard[self.tickets[trial]].append(event.point.step)
            else:
                if isinstance(event, Finished):
                    self.over.add(trial)
                self.books.leave(self.tickets.pop(trial))
                break

    @invariant()
    def told_in_order_and_never_twice(self):
        steps = [step for heard in self.heard.values() for step in heard]
        assert len(steps) == len(set(steps))
        assert all(heard == sorted(heard) for heard in self.heard.values())

    def teardown(self):
        """With benches at work, whoever holds a ticket comes to an end; and then nobody sits anywhere."""
        for bench in "AB":
            self.start(bench)
        for _ in range(6):
            for bench in "AB":
                self.poll(bench, True)
                self.train(bench, True)
                self.poll(bench, True)
            for trial in "uvwxyz":
                self.listen(trial)
        assert not self.tickets and self.books.waiting == 0
        assert self.books.is_idle("A") and self.books.is_idle("B")


TestDesk = DeskMachine.TestCase
TestDesk.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
