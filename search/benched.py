"""Trials side by side: the driver's end of the desk."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray.actor import ActorHandle
from ray.exceptions import RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.desk import Desk
from search.errands import Progress, Raised, Returned
from search.events import Lost
from search.failure import LostError
from search.layout import Layout
from search.leftovers import no_placement_groups_left
from search.seated import ANSWER_SECONDS, WAIT_SECONDS, trial_function
from search.service import BenchSpec
from search.way import Result
from spaces.command import OnProgress

ROOM_SECONDS = 0.5
"""How old the number of seats may be."""
CLOSE_SECONDS = 20.0
"""How long benches may take to end in good order."""
NODE_SHARE = 0.001
"""Of the driver's node, per trial: functions of trials run there, and take none of its CPUs."""


@contextmanager
def benched(layout: Layout, spec: BenchSpec, storage: Path, stop_file: Path) -> Iterator[Benched]:
    """Opens benches, and closes them at the end: nothing of them is left in Ray."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    with no_placement_groups_left():
        desk = (
            ray.remote(Desk)
            .options(num_cpus=0, max_restarts=-1, max_task_retries=-1, max_concurrency=1000, scheduling_strategy=here)
            .remote(layout, spec, storage, stop_file)
        )
        try:
            yield Benched(desk, layout)
            ray.get(desk.close.remote(CLOSE_SECONDS), timeout=CLOSE_SECONDS + ANSWER_SECONDS)
        finally:
            # Whatever waits for resources or did not end in time goes with the desk, which owns it.
            ray.kill(desk)


class Benched:
    """See `search.way.Way`."""

    reuses_processes = True
    tries = 8

    def __init__(self, desk: ActorHandle, layout: Layout) -> None:
        self.desk = desk
        self._room, self._asked, self._asking = layout.at_once, 0.0, None
        self.at_once = layout.at_once
        together = "one at a time" if layout.at_once == 1 else f"up to {layout.at_once} side by side"
        self.about = f"{together} on {'one base' if layout.most == 1 else 'shared bases'}"
        self.resources = {"CPU": 0.0, f"node:{ray.util.get_node_ip_address()}": NODE_SHARE}

    def trial(self) -> Callable[[dict[str, Any]], None]:
        return trial_function(self.desk)

    def room(self) -> int:
        """As the desk said not long ago."""
        if self._asking is None and time.monotonic() - self._asked >= ROOM_SECONDS:
            self._asking, self._asked = self.desk.room.remote(), time.monotonic()
        if self._asking is not None and ray.wait([self._asking], timeout=0)[0]:
            # While the desk is being started again the older number will do.
            with suppress(RayActorError):
                self._room = ray.get(self._asking)
            self._asking = None
        return self._room

    def over(self, trial: str) -> None:
        self.desk.leave_trial.remote(trial)

    def do(self, work: Callable[[OnProgress], Result], on_progress: OnProgress) -> Result:
        """On an idle bench; on another one when the first is lost. Raises LostError when that is lost too."""
        pickled = cloudpickle.dumps(work)
        try:
            return self._do(pickled, on_progress)
        except LostError:
            return self._do(pickled, on_progress)

    def _do(self, work: bytes, on_progress: OnProgress) -> Any:
        number = ray.get(self.desk.ask.remote(work), timeout=ANSWER_SECONDS)
        while True:
            for news in ray.get(self.desk.news.remote(number, WAIT_SECONDS), timeout=ANSWER_SECONDS):
                match news:
                    case Progress():
                        on_progress(news.what, news.done, news.of)
                    case Returned():
                        return pickle.loads(news.result)
                    case Raised():
                        raise pickle.loads(news.error)
                    case Lost():
                        raise LostError(news.reason)
