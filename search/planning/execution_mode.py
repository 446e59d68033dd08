"""How trials run: side by side in the seats of benches, or each in its own process."""

from dataclasses import dataclass

from spaces.errors import InputError

WAIT_MINUTES = 30.0
"""A spot node is ordered, boots and installs within ten minutes, if any is available."""


@dataclass(frozen=True)
class ExecutionMode:
    """The execution options of the command line; None leaves the choice to `search.planning.layout`.

    Raises InputError for options that contradict each other.
    """

    isolate: bool = False
    """One process per trial."""
    seats: int | None = None
    """Per bench."""
    gpus_per_bench: int | None = None
    max_benches: int | None = None
    wait_minutes: float = WAIT_MINUTES
    """How long to wait on a cluster for a node that can hold a bench."""

    def __post_init__(self) -> None:
        bench_options = {
            "--seats": self.seats,
            "--gpus-per-bench": self.gpus_per_bench,
            "--max-benches": self.max_benches,
        }
        given = [option for option, value in bench_options.items() if value is not None]
        if self.isolate and given:
            raise InputError(
                f"--isolate gives each trial a process of its own, and {given[0]} is about benches; leave one out"
            )
