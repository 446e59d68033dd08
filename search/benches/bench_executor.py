"""Trials side by side: opens the benches of a search, and is the driver's way to their broker."""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray.actor import ActorHandle
from ray.exceptions import RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.benches.broker import BenchBroker
from search.benches.messages import PoolStatus
from search.benches.task_queue import TaskError, TaskProgress, TaskResult
from search.benches.trial_function import BROKER_RESTART_SECONDS, POLL_SECONDS, trial_function
from search.benches.worker import BenchSpec
from search.cluster.failure import LostError, NoNodeError
from search.cluster.nodes import driver_node_resources
from search.cluster.orphans import no_placement_groups_left
from search.planning.layout import BenchLayout
from search.tuning.executor import Result
from spaces.cli import OnProgress

STATUS_SECONDS = 0.5
"""How old the broker's status may be."""
CLOSE_SECONDS = 20.0
"""How long open benches may take to end."""
NOTICE_SECONDS = 20.0
"""After so long without an open bench the user is told what is waited for."""


@contextmanager
def open_benches(
    layout: BenchLayout, spec: BenchSpec, storage: Path, stop_file: Path, versions: Mapping[str, str] | None = None
) -> Iterator[BenchExecutor]:
    """Opens benches, and closes them at the end: nothing of them is left in Ray. See `BenchBroker`."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    with no_placement_groups_left():
        broker = (
            ray.remote(BenchBroker)
            .options(num_cpus=0, max_restarts=-1, max_task_retries=-1, max_concurrency=1000, scheduling_strategy=here)
            .remote(layout, spec, storage, stop_file, versions)
        )
        try:
            yield BenchExecutor(broker, layout)
            closed = broker.close.remote(CLOSE_SECONDS)  # type: ignore[attr-defined]
            ray.get(closed, timeout=CLOSE_SECONDS + BROKER_RESTART_SECONDS)
        finally:
            # The broker owns what still waits for resources or did not end in time, which ends with it.
            ray.kill(broker)


class BenchExecutor:
    """See `search.tuning.executor.Executor`."""

    reuse_actors = True
    max_failures = 8

    def __init__(self, broker: ActorHandle, layout: BenchLayout) -> None:
        self.broker = broker
        self._layout, self._status = layout, PoolStatus(layout.at_once)
        self._requested, self._request = 0.0, None
        self._shown: set[str] = set()
        self.max_concurrent = layout.at_once
        together = "one at a time" if layout.at_once == 1 else f"up to {layout.at_once} side by side"
        self.description = f"{together} on {'one base' if layout.max_benches == 1 else 'shared bases'}"
        self.resources = driver_node_resources()

    def trial_function(self) -> Callable[[dict[str, Any]], None]:
        return trial_function(self.broker)

    def capacity(self) -> int:
        return self._current_status().capacity

    def stuck_reason(self) -> str | None:
        return self._current_status().stuck_reason

    def notices(self) -> list[str]:
        status = self._current_status()
        current = [f"Left out: {problem}" for problem in status.excluded_nodes]
        patience = self._layout.wait_seconds
        if math.isfinite(patience) and status.waited_seconds >= NOTICE_SECONDS:
            current.append(
                f"No bench is open: one is starting, or waits for {self._layout.node_needed}; given up after "
                f"{patience / 60:g} minutes without such a node"
            )
        else:
            self._shown &= set(current)
        new = [line for line in current if line not in self._shown]
        self._shown.update(new)
        return new

    def release(self, trial: str) -> None:
        self.broker.release_trial.remote(trial)

    def run_task(self, work: Callable[[OnProgress], Result], on_progress: OnProgress) -> Result:
        """On an idle bench; on another one when the first is lost. Raises LostError when that is lost too."""
        pickled = cloudpickle.dumps(work)
        try:
            return self._run_once(pickled, on_progress)
        except NoNodeError:
            raise
        except LostError:
            return self._run_once(pickled, on_progress)

    def _run_once(self, work: bytes, on_progress: OnProgress) -> Any:
        task_id = ray.get(self.broker.submit_task.remote(work), timeout=BROKER_RESTART_SECONDS)
        while True:
            for line in self.notices():
                on_progress(line, 0, 0)
            poll = self.broker.next_updates.remote(task_id, POLL_SECONDS)
            for update in ray.get(poll, timeout=BROKER_RESTART_SECONDS):
                match update:
                    case TaskProgress():
                        on_progress(update.what, update.done, update.of)
                    case TaskResult():
                        return pickle.loads(update.result)
                    case TaskError():
                        raise pickle.loads(update.error)

    def _current_status(self) -> PoolStatus:
        """The broker's status, requested without waiting for the answer: Tune's loop asks often."""
        if self._request is None and time.monotonic() - self._requested >= STATUS_SECONDS:
            self._request, self._requested = self.broker.status.remote(), time.monotonic()
        if self._request is not None and ray.wait([self._request], timeout=0)[0]:
            # While the broker is being restarted the older status will do.
            with suppress(RayActorError):
                self._status = ray.get(self._request)
            self._request = None
        return self._status
