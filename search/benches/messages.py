"""Messages between the broker, the benches and the driver, besides the events of trials. No torch."""

from dataclasses import dataclass

from spaces.records.trial_spec import TrialSpec
from trainable.training.events import Event


@dataclass(frozen=True)
class BenchLease:
    """What a bench gets when its process has started, or started again."""

    generation: str
    seats: int
    """How many trials it may seat at most."""


@dataclass(frozen=True)
class Task:
    """Work for a bench without trials."""

    id: str
    work: bytes
    """Pickled, so that the broker does not import what the work needs."""


@dataclass(frozen=True)
class PoolStatus:
    """The benches of a search as the driver sees them."""

    capacity: int
    """Trials that should run at once."""
    waited_seconds: float = 0.0
    """How long trials or tasks have waited while no bench was open."""
    stuck_reason: str | None = None
    """Set once no bench is waited for any more."""
    excluded_nodes: tuple[str, ...] = ()
    """Nodes that benches keep away from, each with its problem."""


@dataclass(frozen=True)
class BenchReport:
    """The state of a bench when it polls the broker."""

    seats: int
    """Of its pack; 0 while it has none."""
    seated: tuple[str, ...]
    """Trials by name."""
    events: tuple[Event, ...]
    """What happened to its trials since the last report, in order."""

    @property
    def free(self) -> int:
        return self.seats - len(self.seated)


@dataclass(frozen=True)
class BenchCommand:
    """What a bench is to do next."""

    trial_specs: tuple[TrialSpec, ...] = ()
    """Trials to seat."""
    dismissed: tuple[str, ...] = ()
    """Trials whose seats are to be freed."""
    task: Task | None = None
    build_pack: bool = False
    """Trials wait, and the bench has no pack yet."""
    stop: bool = False
    """Trials in training end after the step they are in."""
    close: bool = False
    """The bench is not needed any more."""
    exit: bool = False
    """Another generation has replaced this one, or the broker has lost its state: the process must end."""

    @property
    def is_empty(self) -> bool:
        return not (self.trial_specs or self.dismissed or self.task or self.build_pack or self.close or self.exit)
