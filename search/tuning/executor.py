"""What the two ways of running trials have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from spaces.cli import OnProgress

Result = TypeVar("Result")


class Executor(Protocol):
    """How trials, and the work before and after them, get to where torch and the GPU are."""

    about: str
    """For a person, in a few words."""
    at_once: int
    """Trials, at most."""
    resources: dict[str, float]
    """Ray's, for the function that Tune runs per trial."""
    reuses_processes: bool
    """Whether one process may run the functions of several trials, one after another."""
    tries: int
    """How often Tune starts a trial's function again when it is lost."""

    def trial(self) -> Callable[[dict[str, Any]], None]:
        """The function that Tune runs for every trial."""
        ...

    def room(self) -> int:
        """How many trials should run just then. Asked often."""
        ...

    def stranded(self) -> str | None:
        """Why what waits will never be done, since no node came for it; None while it may be."""
        ...

    def notices(self) -> list[str]:
        """What a person should hear of nodes and benches since the last call."""
        ...

    def over(self, trial: str) -> None:
        """Nobody waits for this trial any more, however it ended."""
        ...

    def do(self, work: Callable[[OnProgress], Result], on_progress: OnProgress) -> Result:
        """What `work` returns, done away from the driver. What it raises is raised as it was.

        Raises ray.exceptions.RayError when its process dies twice.
        """
        ...
