"""How trials run: side by side in the seats of benches, or each in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass

from spaces.errors import InputError

WAIT_MINUTES = 30.0
"""A spot node is ordered, boots and installs within ten, where there are any to be had."""


@dataclass(frozen=True)
class ExecutionMode:
    """What was asked for; None leaves it to the machine.

    Raises InputError for what contradicts itself.
    """

    isolate: bool = False
    """A process per trial."""
    seats: int | None = None
    """Of a bench."""
    gpus_per_bench: int | None = None
    max_benches: int | None = None
    wait_minutes: float = WAIT_MINUTES
    """For a node that can hold a bench, on a cluster."""

    def __post_init__(self) -> None:
        typed = {
            "--seats": self.seats,
            "--gpus-per-bench": self.gpus_per_bench,
            "--max-benches": self.max_benches,
        }
        contrary = [option for option, value in typed.items() if value is not None]
        if self.isolate and contrary:
            raise InputError(
                f"--isolate gives each trial a process of its own, and {contrary[0]} is about benches; leave one out"
            )
