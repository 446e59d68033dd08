"""Who waits for a seat, who sits where, and who has yet to hear what. Pure bookkeeping: no Ray, no clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from search.benches.messages import BenchCommand, BenchLease, BenchReport
from search.benches.poison_trials import PoisonTrials
from search.cluster.failure import DIED
from trainable.training.events import Cancelled, Event, Failed, Finished, Lost, Progress

ONE_SEAT = "out of memory with a single seat; lower rank or batch"
DEADLY = "its bench died under it again and again, and it got no further; out of memory, or a fault of this draw alone"
BARREN_DEATHS = 2
"""A bench that has died so often without ending a trial in between is given fewer seats: when a machine's memory runs
out, the kernel kills without a word."""
FUTILE_DEATHS = 6
"""After so many, whoever waits for it would wait for ever."""


@dataclass
class _Ticket:
    trial: str
    job: str
    events: list[Event] = field(default_factory=list)


@dataclass
class _Bench:
    generation: str
    node: str
    granted: int
    seats: int = 0
    seated: int = 0
    ended: int = 0
    """Trials that came to their end on this generation."""


class SeatQueue:
    """Each order is carried out by one bench at a time, and each event is heard once, by the ticket it belongs to.

    A trial whose process comes back joins again under another ticket: its older seat is freed first, and the order is
    handed out when the bench no longer names the trial among those seated. So two seats never write one folder.
    """

    def __init__(self, seats: int, name: Callable[[], str]) -> None:
        """`seats` per bench at most; `name()` gives a name that was never given before, by another desk neither."""
        self.seats = seats
        self.stopping = False
        self._name = name
        self._tickets: dict[str, _Ticket] = {}
        self._waiting: list[str] = []
        self._sitting: dict[str, tuple[str, str]] = {}
        """Bench and ticket of every trial that a bench was given and has not let go."""
        self._benches: dict[str, _Bench] = {}
        self._deaths: dict[str, int] = {}
        self._roomy = seats
        """Seats per bench, were nobody to die without a word."""
        self._suspects = PoisonTrials()
        self._starved: set[str] = set()
        """Trials that ran out of memory by themselves, and benches that did so before anybody sat there."""

    def join(self, trial: str, job: str) -> str:
        """A ticket for this trial, which is now in the queue. Whoever joined for it before hears no more."""
        self.leave_trial(trial)
        ticket = self._name()
        self._tickets[ticket] = _Ticket(trial, job)
        if self.stopping:
            self._tell(ticket, Cancelled(trial))
        else:
            self._waiting.append(ticket)
        return ticket

    def take(self, ticket: str) -> list[Event]:
        """What has happened since the last call; that the ticket is lost when nothing is known of it."""
        if ticket not in self._tickets:
            return [Lost("", "the broker knows nothing of it")]
        events, self._tickets[ticket].events = self._tickets[ticket].events, []
        return events

    def leave(self, ticket: str) -> None:
        """Nobody waits for this ticket any more. Its seat is freed when its bench asks next."""
        self._tickets.pop(ticket, None)
        if ticket in self._waiting:
            self._waiting.remove(ticket)

    def leave_trial(self, trial: str) -> None:
        """The same, for whatever ticket the trial has."""
        for ticket in [name for name, held in self._tickets.items() if held.trial == trial]:
            self.leave(ticket)

    def open(self, bench: str, node: str, alive: Collection[str]) -> BenchLease:
        """A bench has started on this one of the nodes that are `alive`. Who sat on an earlier generation of it has
        lost the seat."""
        before = self._benches.get(bench)
        # One whose node is gone has not died of what it did.
        self.lose(bench, DIED, is_fault=before is not None and before.node in alive)
        opening = BenchLease(self._name(), self.seats)
        self._benches[bench] = _Bench(opening.generation, node, self.seats)
        return opening

    def is_current(self, bench: str, generation: str) -> bool:
        return bench in self._benches and self._benches[bench].generation == generation

    def hear(self, bench: str, standing: BenchReport) -> None:
        """Passes a bench's events on. Trials that were handed to it and that it does not name have lost their seats."""
        known = self._benches[bench]
        known.seats, known.seated = standing.seats, len(standing.seated)
        for event in standing.events:
            trial = event.trial
            at, ticket = self._sitting.get(trial, ("", ""))
            if at == bench:
                self._tell(ticket, event)
                if isinstance(event, Progress):
                    self._suspects.reached(trial, event.point.step)
                else:
                    del self._sitting[trial]
                if isinstance(event, (Finished, Failed)):
                    self._suspects.over(trial)
                known.ended += isinstance(event, Finished)
        for trial, ticket in self._at(bench):
            if trial not in standing.seated:
                del self._sitting[trial]
                self._tell(ticket, Lost(trial, "its bench let go of it"))

    def answer(self, bench: str, standing: BenchReport) -> BenchCommand:
        """Who is to be dismissed, and who takes the free seats. Standing as it was heard last."""
        held = {trial: ticket for trial, ticket in self._at(bench) if ticket in self._tickets}
        dismissed = tuple(trial for trial in standing.seated if trial not in held)
        given = []
        for ticket in self._choice(bench, standing.free):
            self._waiting.remove(ticket)
            order = self._tickets[ticket]
            self._sitting[order.trial] = (bench, ticket)
            given.append(order.job)
        self._benches[bench].seated = len(standing.seated) + len(given)
        wanted = standing.seats == 0 and bool(self._next())
        return BenchCommand(tuple(given), dismissed, is_wanted=wanted, stop=self.stopping)

    def lose(self, bench: str, reason: str, is_fault: bool = False) -> None:
        """A bench's process is gone, or must go: its trials have to join again, and its generation counts no more.
        `is_fault` where it died of what it did: the trial that caused it, once that is known, has failed."""
        gone = self._benches.pop(bench, None)
        if gone is None:
            return
        seated = dict(self._at(bench))
        if is_fault and (guilty := self._suspects.died(seated)) is not None:
            del self._sitting[guilty]
            self._suspects.over(guilty)
            self._tell(seated[guilty], Failed(guilty, DEADLY))
            self._deaths[bench], self.seats = 0, self._roomy
            self._evict(bench, Lost, reason)
            return
        deaths = self._deaths[bench] = 0 if gone.ended else self._deaths.get(bench, 0) + 1
        if deaths and deaths % BARREN_DEATHS == 0:
            self._halve(gone)
        if deaths >= FUTILE_DEATHS:
            self.fail_waiting(f"its bench died {deaths} times in a row; {reason}")
        self._evict(bench, Lost, reason)

    def starve(self, bench: str, generation: str) -> None:
        """A bench has run out of memory: the next generation gets half its seats. A trial that is by itself is tried
        once more, as somebody else may have had the memory; then it has failed."""
        if not self.is_current(bench, generation):
            return
        gone = self._benches.pop(bench)
        alone = (gone.seats or gone.granted) == 1
        seated = {trial for trial, _ in self._at(bench)}
        guilty = (seated or {bench}) if alone else set()
        is_known = bool(guilty & self._starved)
        self._starved |= guilty
        if is_known and not seated:
            self.fail_waiting(ONE_SEAT)
        self._halve(gone)
        self._roomy = self.seats
        self._evict(bench, *((Failed, ONE_SEAT) if is_known else (Lost, "its bench ran out of memory")))

    def close(self, bench: str) -> None:
        """A bench has ended in good order."""
        self._evict(bench, Lost, "its bench has closed")
        self._benches.pop(bench, None)

    def fail_waiting(self, reason: str) -> None:
        """No bench can be set up for those who wait."""
        self._tell_waiting(lambda trial: Failed(trial, reason))

    def stop(self) -> None:
        """Nobody gets a seat any more; who sits is ended by his bench."""
        self.stopping = True
        self._tell_waiting(Cancelled)

    @property
    def waiting(self) -> int:
        """Trials that could take a seat at once."""
        return len(self._next())

    def is_idle(self, bench: str) -> bool:
        """Whether nobody sits there; so it is for a bench that is not known."""
        return bench not in self._benches or self._benches[bench].seated == 0

    def seats_of(self, bench: str) -> int:
        """How many trials it seats, as far as it is known."""
        known = self._benches.get(bench)
        return known.seats if known and known.seats else self.seats

    def free_of(self, bench: str) -> int:
        known = self._benches.get(bench)
        return self.seats_of(bench) - (known.seated if known else 0)

    def _choice(self, bench: str, free: int) -> list[str]:
        """Whom this bench seats next: so many, and no suspect where one sits."""
        chosen: list[str] = []
        is_watched = any(trial in self._suspects for trial, _ in self._at(bench))
        for ticket in self._next():
            is_suspect = self._tickets[ticket].trial in self._suspects
            if len(chosen) < free and not (is_suspect and is_watched):
                chosen.append(ticket)
                is_watched = is_watched or is_suspect
        return chosen

    def _next(self) -> list[str]:
        return [ticket for ticket in self._waiting if self._tickets[ticket].trial not in self._sitting]

    def _at(self, bench: str) -> list[tuple[str, str]]:
        return [(trial, ticket) for trial, (at, ticket) in self._sitting.items() if at == bench]

    def _evict(self, bench: str, kind: type[Lost | Failed], reason: str) -> None:
        for trial, ticket in self._at(bench):
            del self._sitting[trial]
            self._tell(ticket, kind(trial, reason))

    def _halve(self, bench: _Bench) -> None:
        self.seats = min(self.seats, max(1, (bench.seats or bench.granted) // 2))

    def _tell_waiting(self, event_of: Callable[[str], Event]) -> None:
        waiting, self._waiting = self._waiting, []
        for ticket in waiting:
            self._tell(ticket, event_of(self._tickets[ticket].trial))

    def _tell(self, ticket: str, event: Event) -> None:
        """A ticket that was left hears nothing."""
        if ticket in self._tickets:
            self._tickets[ticket].events.append(event)
