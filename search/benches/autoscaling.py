"""Decides how many benches there should be, and when waiting for one has lasted too long."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

STARTING_SECONDS = 600.0
"""Extra patience while a node could hold the bench: a bench takes this long at most to start and to load its model from
slow storage. After that another job may have the GPU."""
IDLE_SECONDS = 60.0
"""A bench that has been idle for so long closes, as long as another one is open."""
SWEEP_SECONDS = 5.0
"""How often orphans of dead benches are looked for while no bench is open."""


@dataclass(frozen=True)
class BenchStatus:
    """A bench that was launched and is not about to close."""

    name: str
    seats: int
    """As reported; while it starts, as granted."""
    free: int
    is_open: bool
    idle_since: float | None
    """None while it has a trial or a task."""


def should_scale_up(benches: Sequence[BenchStatus], waiting: int, max_benches: int) -> bool:
    """Whether to launch another bench: more trials wait than there are free seats."""
    return len(benches) < max_benches and waiting > sum(max(0, bench.free) for bench in benches)


def scale_down(benches: Sequence[BenchStatus], now: float) -> str | None:
    """The bench that should close because it is not needed; never the last one that is open."""
    if sum(bench.is_open for bench in benches) < 2:
        return None
    idle = [(bench.idle_since, bench.name) for bench in benches if bench.is_open and bench.idle_since is not None]
    since, name = min(idle, key=lambda each: each[0], default=(now, None))
    return name if now - since >= IDLE_SECONDS else None


def trial_capacity(benches: Sequence[BenchStatus], seats: int, max_benches: int, max_concurrent: int) -> int:
    """How many trials should run, including those that wait for a seat.

    It is one per seat, and `seats` more where another bench may be launched: that happens only while trials wait.
    """
    extra = seats if len(benches) < max_benches else 0
    return max(1, min(max_concurrent, sum(bench.seats for bench in benches) + extra))


class StartTimeout:
    """Measures for how long trials or tasks have waited while no bench was open."""

    def __init__(self, patience: float) -> None:
        """`patience` in seconds."""
        self._patience = patience
        self._since: float | None = None

    def update(self, now: float, is_open: bool, is_wanted: bool, has_node: Callable[[], bool]) -> bool:
        """Whether patience is used up.

        `is_open`: a bench is open; `is_wanted`: a trial or task waits for one. `has_node()`, called only then, says
        whether a node could hold a bench, which may be starting there.
        """
        if is_open or not is_wanted:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return self.seconds(now) > self._patience + (STARTING_SECONDS if has_node() else 0)

    def seconds(self, now: float) -> float:
        return 0.0 if self._since is None else now - self._since


class OrphanSweep:
    """When to look for what dead benches still hold: every SWEEP_SECONDS of waiting without an open bench."""

    def __init__(self) -> None:
        self._next = SWEEP_SECONDS

    def is_due(self, waited: float) -> bool:
        """`waited` seconds for a bench; 0 while one is open or none is wanted."""
        if waited < self._next:
            if not waited:
                self._next = SWEEP_SECONDS
            return False
        self._next = waited + SWEEP_SECONDS
        return True
