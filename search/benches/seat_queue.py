"""Which trials wait for a seat, and which trial sits where. Pure bookkeeping: no Ray, no clock."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from search.benches.messages import BenchCommand, BenchLease, BenchReport
from search.benches.poison_trials import PoisonTrials
from search.cluster.failure import PROCESS_DIED
from spaces.records.trial_spec import TrialSpec
from trainable.training.events import Cancelled, Event, Failed, Finished, Lost, Progress

ONE_SEAT = "out of memory with a single seat; lower batch or the size of the adapter"
DEADLY = "its bench died under it again and again, and it got no further; out of memory, or a fault of this draw alone"
HALVING_DEATHS = 2
"""A bench that has died so often without finishing a trial in between gets half its seats: a kernel out of memory kills
processes without a message."""
FINAL_DEATHS = 6
"""After so many deaths in a row, the trials that wait for the bench fail."""


@dataclass
class _Lease:
    spec: TrialSpec
    events: list[Event] = field(default_factory=list)

    @property
    def trial(self) -> str:
        return self.spec.trial


@dataclass
class _Bench:
    generation: str
    node: str
    granted: int
    seats: int = 0
    seated: int = 0
    finished: int = 0
    """Trials that this generation has finished."""


class SeatQueue:
    """A trial asks for a seat and gets a lease, which collects its events. It has one seat at a time.

    A trial whose Ray Tune process starts again gets a new lease. Its older seat is freed first, and the trial is seated
    again when the bench no longer reports it as seated. So two seats never write to one folder.
    """

    def __init__(self, seats: int, new_id: Callable[[], str]) -> None:
        """`seats` per bench at most. `new_id()` returns an id that no queue has used before."""
        self.seats = seats
        self.stopping = False
        self._new_id = new_id
        self._leases: dict[str, _Lease] = {}
        self._waiting: list[str] = []
        self._seated: dict[str, tuple[str, str]] = {}
        """Bench and lease of every trial that was given to a bench and not let go by it."""
        self._benches: dict[str, _Bench] = {}
        self._deaths: dict[str, int] = {}
        self._seats_in_memory = seats
        """Seats per bench as far as benches have reported a lack of memory."""
        self._poison = PoisonTrials()
        self._starved: set[str] = set()
        """Trials that ran out of memory without neighbours, and benches that did so without a trial."""

    def request(self, spec: TrialSpec) -> str:
        """Queues this trial; returns its lease. An older lease of the trial ends."""
        self.release_trial(spec.trial)
        lease = self._new_id()
        self._leases[lease] = _Lease(spec)
        if self.stopping:
            self._add_event(lease, Cancelled(spec.trial))
        else:
            self._waiting.append(lease)
        return lease

    def take_events(self, lease: str) -> list[Event]:
        """Events since the last call. An unknown lease is lost."""
        if lease not in self._leases:
            return [Lost("", "the broker does not know its lease")]
        events, self._leases[lease].events = self._leases[lease].events, []
        return events

    def release(self, lease: str) -> None:
        """Ends a lease. Its seat is freed when its bench next polls."""
        self._leases.pop(lease, None)
        if lease in self._waiting:
            self._waiting.remove(lease)

    def release_trial(self, trial: str) -> None:
        """Ends the lease of this trial, if it has one."""
        for lease in [name for name, held in self._leases.items() if held.trial == trial]:
            self.release(lease)

    def register_bench(self, bench: str, node: str, alive: Collection[str]) -> BenchLease:
        """A bench has started on `node`, one of the nodes that are `alive`. Trials on an earlier generation of it have
        lost their seats."""
        before = self._benches.get(bench)
        # A bench whose node is gone has not died of a trial.
        self.lose_bench(bench, PROCESS_DIED, is_fault=before is not None and before.node in alive)
        lease = BenchLease(self._new_id(), self.seats)
        self._benches[bench] = _Bench(lease.generation, node, self.seats)
        return lease

    def is_current(self, bench: str, generation: str) -> bool:
        return bench in self._benches and self._benches[bench].generation == generation

    def record(self, bench: str, report: BenchReport) -> None:
        """Passes a bench's events on. A trial that was given to it and that it does not report has lost its seat."""
        known = self._benches[bench]
        known.seats, known.seated = report.seats, len(report.seated)
        for event in report.events:
            trial = event.trial
            at, lease = self._seated.get(trial, ("", ""))
            if at == bench:
                self._add_event(lease, event)
                if isinstance(event, Progress):
                    self._poison.progressed(trial, event.point.step)
                else:
                    del self._seated[trial]
                if isinstance(event, (Finished, Failed)):
                    self._poison.forget(trial)
                known.finished += isinstance(event, Finished)
        for trial, lease in self._seated_at(bench):
            if trial not in report.seated:
                del self._seated[trial]
                self._add_event(lease, Lost(trial, "its bench let go of it"))

    def next_command(self, bench: str, report: BenchReport) -> BenchCommand:
        """Which trials to dismiss, and which to seat. `report` is the one that was recorded last."""
        held = {trial: lease for trial, lease in self._seated_at(bench) if lease in self._leases}
        dismissed = tuple(trial for trial in report.seated if trial not in held)
        trial_specs = []
        for name in self._choose(bench, report.free):
            self._waiting.remove(name)
            lease = self._leases[name]
            self._seated[lease.trial] = (bench, name)
            trial_specs.append(lease.spec)
        self._benches[bench].seated = len(report.seated) + len(trial_specs)
        build_pack = report.seats == 0 and bool(self._seatable())
        return BenchCommand(tuple(trial_specs), dismissed, build_pack=build_pack, stop=self.stopping)

    def lose_bench(self, bench: str, reason: str, is_fault: bool = False) -> None:
        """A bench's process is gone, or must end: its generation is no longer current, and its trials lose their seats.

        `is_fault`: it may have died of a trial. That trial, once it is known, has failed.
        """
        gone = self._benches.pop(bench, None)
        if gone is None:
            return
        seated = dict(self._seated_at(bench))
        if is_fault and (culprit := self._poison.bench_died(seated)) is not None:
            del self._seated[culprit]
            self._poison.forget(culprit)
            self._add_event(seated[culprit], Failed(culprit, DEADLY))
            self._deaths[bench], self.seats = 0, self._seats_in_memory
            self._evict(bench, Lost, reason)
            return
        deaths = self._deaths[bench] = 0 if gone.finished else self._deaths.get(bench, 0) + 1
        if deaths and deaths % HALVING_DEATHS == 0:
            self._halve_seats(gone)
        if deaths >= FINAL_DEATHS:
            self.fail_waiting(f"its bench died {deaths} times in a row; {reason}")
        self._evict(bench, Lost, reason)

    def out_of_memory(self, bench: str, generation: str) -> None:
        """The next generation of this bench gets half its seats. A trial without neighbours is tried once more, since
        another program may have had the memory; the second time it has failed."""
        if not self.is_current(bench, generation):
            return
        gone = self._benches.pop(bench)
        has_one_seat = (gone.seats or gone.granted) == 1
        seated = {trial for trial, _ in self._seated_at(bench)}
        culprits = (seated or {bench}) if has_one_seat else set()
        is_second_time = bool(culprits & self._starved)
        self._starved |= culprits
        if is_second_time and not seated:
            self.fail_waiting(ONE_SEAT)
        self._halve_seats(gone)
        self._seats_in_memory = self.seats
        self._evict(bench, *((Failed, ONE_SEAT) if is_second_time else (Lost, "its bench ran out of memory")))

    def close_bench(self, bench: str) -> None:
        """A bench has ended as it was told to."""
        self._evict(bench, Lost, "its bench has closed")
        self._benches.pop(bench, None)

    def fail_waiting(self, reason: str) -> None:
        """No bench can be set up: the waiting trials fail."""
        self._end_waiting(lambda trial: Failed(trial, reason))

    def stop(self) -> None:
        """No trial is seated any more; the benches end those that are."""
        self.stopping = True
        self._end_waiting(Cancelled)

    @property
    def waiting(self) -> int:
        """Trials that could take a seat at once."""
        return len(self._seatable())

    def is_idle(self, bench: str) -> bool:
        """Whether no trial is seated there; true of an unknown bench."""
        return bench not in self._benches or self._benches[bench].seated == 0

    def seats_of(self, bench: str) -> int:
        """Seats that the bench has reported, or will be granted."""
        known = self._benches.get(bench)
        return known.seats if known and known.seats else self.seats

    def free_seats_of(self, bench: str) -> int:
        known = self._benches.get(bench)
        return self.seats_of(bench) - (known.seated if known else 0)

    def _choose(self, bench: str, free: int) -> list[str]:
        """Leases that this bench seats next: at most `free`, and at most one suspect on the whole bench."""
        chosen: list[str] = []
        has_suspect = any(trial in self._poison for trial, _ in self._seated_at(bench))
        for lease in self._seatable():
            is_suspect = self._leases[lease].trial in self._poison
            if len(chosen) < free and not (is_suspect and has_suspect):
                chosen.append(lease)
                has_suspect = has_suspect or is_suspect
        return chosen

    def _seatable(self) -> list[str]:
        return [lease for lease in self._waiting if self._leases[lease].trial not in self._seated]

    def _seated_at(self, bench: str) -> list[tuple[str, str]]:
        return [(trial, lease) for trial, (at, lease) in self._seated.items() if at == bench]

    def _evict(self, bench: str, kind: type[Lost | Failed], reason: str) -> None:
        for trial, lease in self._seated_at(bench):
            del self._seated[trial]
            self._add_event(lease, kind(trial, reason))

    def _halve_seats(self, bench: _Bench) -> None:
        self.seats = min(self.seats, max(1, (bench.seats or bench.granted) // 2))

    def _end_waiting(self, last_event: Callable[[str], Event]) -> None:
        waiting, self._waiting = self._waiting, []
        for lease in waiting:
            self._add_event(lease, last_event(self._leases[lease].trial))

    def _add_event(self, lease: str, event: Event) -> None:
        """An event of a lease that has ended is dropped."""
        if lease in self._leases:
            self._leases[lease].events.append(event)
