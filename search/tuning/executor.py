"""The protocol that both ways of running trials follow: on benches, and each in a process of its own."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from spaces.cli import OnProgress

Result = TypeVar("Result")


class Executor(Protocol):
    """Runs trials, and the tasks before and after them, where torch and the GPU are."""

    description: str
    """A few words for the user."""
    max_concurrent: int
    """Trials at once, at most."""
    resources: dict[str, float]
    """Ray resources of the function that Tune runs per trial."""
    reuse_actors: bool
    """Whether one process may run the functions of several trials, one after another."""
    max_failures: int
    """How often Tune starts a trial's function again after an error."""

    def trial_function(self) -> Callable[[dict[str, Any]], None]:
        """The function that Tune runs for every trial."""
        ...

    def capacity(self) -> int:
        """How many trials should run now. Called often."""
        ...

    def stuck_reason(self) -> str | None:
        """Why waiting trials will never run, as no node came for them; None while they may."""
        ...

    def notices(self) -> list[str]:
        """News of nodes and benches for the user since the last call."""
        ...

    def release(self, trial: str) -> None:
        """Frees what a trial still holds, however it ended."""
        ...

    def run_task(self, work: Callable[[OnProgress], Result], on_progress: OnProgress) -> Result:
        """Returns what `work` returns, run away from the driver. Its errors are raised here unchanged.

        Raises ray.exceptions.RayError when its process dies twice.
        """
        ...
