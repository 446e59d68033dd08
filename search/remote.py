"""Work that needs torch, and a GPU where there is one, done in a process of its own while the driver shows how far."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from search.machine import Machine
from search.way import Result
from spaces.command import OnProgress

PROGRESS, DONE, ERROR = "progress", "done", "error"


def do_remotely(work: Callable[[OnProgress], Result], machine: Machine, on_progress: OnProgress) -> Result:
    """Runs `work` as a Ray task and returns what it returns. What it raises is raised here as it was.

    Raises ray.exceptions.WorkerCrashedError when its process dies twice.
    """
    import ray

    resources = {"num_gpus": 1, "num_cpus": 0} if machine.has_gpu else {"num_cpus": machine.worker["CPU"]}
    # One call and the process ends: an idle one would keep torch and the model in memory all through the search.
    task = ray.remote(num_returns="streaming", max_calls=1, max_retries=1, **resources)(_stream)
    for reference in task.remote(work):
        kind, value = ray.get(reference)
        if kind == PROGRESS:
            on_progress(*value)
        elif kind == ERROR:
            raise value
        else:
            return value
    raise RuntimeError("expected a result from the task, got none")


def _stream(work: Callable[[OnProgress], Any]) -> Iterator[tuple[str, Any]]:
    said: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def run() -> None:
        try:
            said.put((DONE, work(lambda what, done, of: said.put((PROGRESS, (what, done, of))))))
        except Exception as error:
            said.put((ERROR, error))

    threading.Thread(target=run, daemon=True).start()
    kind = PROGRESS
    while kind == PROGRESS:
        kind, value = said.get()
        yield kind, value
