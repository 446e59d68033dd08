"""Trials side by side: the driver's end of the desk."""

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
from search.benches.trial_function import ANSWER_SECONDS, WAIT_SECONDS, trial_function
from search.benches.worker import BenchSpec
from search.cluster.failure import LostError, NoNodeError
from search.cluster.nodes import on_this_node
from search.cluster.orphans import no_placement_groups_left
from search.planning.layout import BenchLayout
from search.tuning.executor import Result
from spaces.cli import OnProgress

ROOM_SECONDS = 0.5
"""How old the number of seats may be."""
CLOSE_SECONDS = 20.0
"""How long benches may take to end in good order."""
BARE_SECONDS = 20.0
"""After so long without an open bench it is said what is waited for."""


@contextmanager
def benched(
    layout: BenchLayout, spec: BenchSpec, storage: Path, stop_file: Path, identity: Mapping[str, str] | None = None
) -> Iterator[BenchExecutor]:
    """Opens benches, and closes them at the end: nothing of them is left in Ray. See `BenchBroker`."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    with no_placement_groups_left():
        desk = (
            ray.remote(BenchBroker)
            .options(num_cpus=0, max_restarts=-1, max_task_retries=-1, max_concurrency=1000, scheduling_strategy=here)
            .remote(layout, spec, storage, stop_file, identity)
        )
        try:
            yield BenchExecutor(desk, layout)
            ray.get(desk.close.remote(CLOSE_SECONDS), timeout=CLOSE_SECONDS + ANSWER_SECONDS)
        finally:
            # Whatever waits for resources or did not end in time goes with the desk, which owns it.
            ray.kill(desk)


class BenchExecutor:
    """See `search.tuning.executor.Executor`."""

    reuses_processes = True
    tries = 8

    def __init__(self, desk: ActorHandle, layout: BenchLayout) -> None:
        self.desk = desk
        self._layout, self._outlook = layout, PoolStatus(layout.at_once)
        self._asked, self._asking = 0.0, None
        self._said: set[str] = set()
        self.at_once = layout.at_once
        together = "one at a time" if layout.at_once == 1 else f"up to {layout.at_once} side by side"
        self.about = f"{together} on {'one base' if layout.max_benches == 1 else 'shared bases'}"
        self.resources = on_this_node()

    def trial(self) -> Callable[[dict[str, Any]], None]:
        return trial_function(self.desk)

    def room(self) -> int:
        self._look()
        return self._outlook.room

    def stranded(self) -> str | None:
        self._look()
        return self._outlook.stranded

    def notices(self) -> list[str]:
        self._look()
        told = [f"Left out: {problem}" for problem in self._outlook.left_out]
        patience = self._layout.wait_seconds
        if math.isfinite(patience) and self._outlook.bare_seconds >= BARE_SECONDS:
            told.append(
                f"No bench is open: one is starting, or waits for {self._layout.node_needed}; given up after "
                f"{patience / 60:g} minutes without such a node"
            )
        else:
            self._said = {line for line in self._said if line in told}
        fresh = [line for line in told if line not in self._said]
        self._said.update(fresh)
        return fresh

    def _look(self) -> None:
        """How things stand, as the desk said not long ago."""
        if self._asking is None and time.monotonic() - self._asked >= ROOM_SECONDS:
            self._asking, self._asked = self.desk.outlook.remote(), time.monotonic()
        if self._asking is not None and ray.wait([self._asking], timeout=0)[0]:
            # While the desk is being started again the older one will do.
            with suppress(RayActorError):
                self._outlook = ray.get(self._asking)
            self._asking = None

    def over(self, trial: str) -> None:
        self.desk.leave_trial.remote(trial)

    def do(self, work: Callable[[OnProgress], Result], on_progress: OnProgress) -> Result:
        """On an idle bench; on another one when the first is lost. Raises LostError when that is lost too."""
        pickled = cloudpickle.dumps(work)
        try:
            return self._do(pickled, on_progress)
        except NoNodeError:
            raise
        except LostError:
            return self._do(pickled, on_progress)

    def _do(self, work: bytes, on_progress: OnProgress) -> Any:
        number = ray.get(self.desk.ask.remote(work), timeout=ANSWER_SECONDS)
        while True:
            for line in self.notices():
                on_progress(line, 0, 0)
            for news in ray.get(self.desk.news.remote(number, WAIT_SECONDS), timeout=ANSWER_SECONDS):
                match news:
                    case TaskProgress():
                        on_progress(news.what, news.done, news.of)
                    case TaskResult():
                        return pickle.loads(news.result)
                    case TaskError():
                        raise pickle.loads(news.error)
