"""Messages between the broker, the benches and the driver, besides the events of trials. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from trainable.training.events import Event


@dataclass(frozen=True)
class BenchLease:
    """A bench that has started, or started again."""

    generation: str
    seats: int
    """How many trials it may seat at most."""


@dataclass(frozen=True)
class Task:
    """Work for a bench that nobody sits on."""

    number: str
    work: bytes
    """Pickled, so that nobody on the way imports what it needs."""


@dataclass(frozen=True)
class PoolStatus:
    """How things stand with benches, for the driver."""

    room: int
    """Trials that should run at once."""
    bare_seconds: float = 0.0
    """How long somebody has waited while no bench was open."""
    stranded: str | None = None
    """Why nothing is waited for any more."""
    left_out: tuple[str, ...] = ()
    """Nodes that benches keep away from, each with what is wrong with it."""


@dataclass(frozen=True)
class BenchReport:
    """What a bench says of itself when it polls."""

    seats: int
    """Of its pack; 0 while it has none."""
    seated: tuple[str, ...]
    """The trials that sit there."""
    events: tuple[Event, ...]
    """What happened to its trials since the last report, in order."""

    @property
    def free(self) -> int:
        return self.seats - len(self.seated)


@dataclass(frozen=True)
class BenchCommand:
    """What a bench is to do next."""

    jobs: tuple[str, ...] = ()
    """Of trials to seat, as JSON."""
    dismissed: tuple[str, ...] = ()
    """Trials that nobody waits for any more."""
    errand: Task | None = None
    is_wanted: bool = False
    """Trials wait, and the bench has no pack yet."""
    stop: bool = False
    """Whoever trains ends after the step he is in."""
    close: bool = False
    """The bench has no more to do."""
    void: bool = False
    """Another generation has taken its place, or the desk has lost its memory: its process must end."""

    @property
    def is_empty(self) -> bool:
        return not (self.jobs or self.dismissed or self.errand or self.is_wanted or self.close or self.void)
