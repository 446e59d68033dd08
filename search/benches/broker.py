"""The broker gives trials a seat on a bench, and benches their trials and tasks. One light actor per search."""

import asyncio
import itertools
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import ray

from search.benches import autoscaling
from search.benches.messages import BenchCommand, BenchLease, BenchReport, PoolStatus
from search.benches.seat_queue import SeatQueue
from search.benches.task_queue import TaskQueue, TaskUpdate
from search.benches.train_run import BenchRun, backoff_seconds, run_bench
from search.benches.worker import HEARTBEAT_SECONDS, BenchSpec
from search.cluster.failure import PROCESS_DIED, LostError, NoNodeError, root_reason
from search.cluster.nodes import alive_nodes, can_hold_bench, no_node_message
from search.cluster.orphans import remove_orphans
from search.planning.layout import BenchLayout
from spaces.records.trial_spec import TrialSpec
from trainable.training.events import Event

T = TypeVar("T")
CONTROL_SECONDS = 0.2
"""How often the broker looks for the stop file and for silent benches, and scales up or down."""
SILENT_SECONDS = 30.0
"""A bench sends a heartbeat every two seconds, whatever else it does. After so long without one it is lost."""
FRAGILE_SECONDS = 10.0
"""A Train controller that is killed while it starts leaves a helper behind for ever, so it is given time to start."""
MAX_FAILED_STARTS = 4
"""After so many failed starts in a row, the trials and tasks that wait for a bench fail."""


class BenchBroker:
    """Wraps `SeatQueue` and `TaskQueue` in an actor, and launches and closes benches.

    When its process dies its state is lost and its benches die with it. The trials learn that their leases are unknown
    and ask for seats again, and the broker that Ray starts in its place launches new benches.
    """

    def __init__(
        self, layout: BenchLayout, spec: BenchSpec, storage: Path, stop_file: Path, versions: Mapping | None = None
    ) -> None:
        """`storage` is a folder that every node reaches. The search stops once `stop_file` exists. `versions` as in
        `BenchRun`."""
        self._layout, self._stop_file = layout, stop_file
        self._seats, self._tasks = SeatQueue(layout.seats, _new_id), TaskQueue(_new_id)
        self._run = BenchRun(layout, spec, storage, ray.get_runtime_context().current_actor, versions)
        # Each bench blocks a thread for as long as it lives.
        self._threads = ThreadPoolExecutor(max_workers=max(1, layout.max_benches))
        self._benches: dict[str, asyncio.Task[None]] = {}
        self._heartbeats: dict[str, float] = {}
        """Open benches, and the time of their last heartbeat."""
        self._launched: dict[str, float] = {}
        """When each bench was last started."""
        self._idle_since: dict[str, float] = {}
        self._closing: set[str] = set()
        self._excluded_nodes: dict[str, str] = {}
        """Problems by node id."""
        self._moving: set[str] = set()
        """Benches that are to start again on another node."""
        self._start_timeout = autoscaling.StartTimeout(layout.wait_seconds)
        self._orphan_sweep = autoscaling.OrphanSweep()
        self._stuck_reason: str | None = None
        self._changed = asyncio.Event()
        for _ in range(layout.initial_benches):
            self._launch()
        self._control = asyncio.create_task(self._control_loop())

    async def request_seat(self, spec: TrialSpec) -> str:
        """See `SeatQueue.request`."""
        lease = self._seats.request(spec)
        self._notify()
        return lease

    async def next_events(self, lease: str, seconds: float) -> list[Event]:
        """New events of this lease; empty when there are none for so many seconds."""
        return await self._wait_for(lambda: self._seats.take_events(lease), seconds)

    async def release_seat(self, lease: str) -> None:
        """See `SeatQueue.release`."""
        self._seats.release(lease)
        self._notify()

    async def release_trial(self, trial: str) -> None:
        """See `SeatQueue.release_trial`."""
        self._seats.release_trial(trial)
        self._notify()

    async def submit_task(self, work: bytes) -> str:
        """See `TaskQueue.submit`."""
        task_id = self._tasks.submit(work)
        if self._stuck_reason is not None:
            self._tasks.fail_waiting(NoNodeError(self._stuck_reason))
        self._notify()
        return task_id

    async def next_updates(self, task_id: str, seconds: float) -> list[TaskUpdate]:
        """New updates of a task; empty when there are none for so many seconds."""
        return await self._wait_for(lambda: self._tasks.take_updates(task_id), seconds)

    async def update_task(self, task_id: str, update: TaskUpdate) -> None:
        """An update from the bench that runs the task."""
        self._tasks.add_update(task_id, update)
        self._notify()

    async def register_bench(self, bench: str, node: str) -> BenchLease:
        """A bench's process has started on the node of this id. See `SeatQueue.register_bench`."""
        self._tasks.lose_bench(bench, PROCESS_DIED)
        self._heartbeats[bench] = time.monotonic()
        lease = self._seats.register_bench(bench, node, {each.id for each in alive_nodes()})
        self._notify()
        return lease

    async def heartbeat(self, bench: str, generation: str) -> bool:
        """Whether this generation of the bench is current."""
        if not self._seats.is_current(bench, generation):
            return False
        self._heartbeats[bench] = time.monotonic()
        return True

    async def poll(self, bench: str, generation: str, report: BenchReport) -> BenchCommand:
        """Records the report of a bench and returns its next command. A bench without trials waits here for one."""
        if not await self.heartbeat(bench, generation):
            return BenchCommand(exit=True)
        self._seats.record(bench, report)
        self._notify()
        deadline = time.monotonic() + (0 if report.seated else HEARTBEAT_SECONDS)
        while True:
            if not await self.heartbeat(bench, generation):
                return BenchCommand(exit=True)
            command = self._next_command(bench, report)
            if not command.is_empty or not await self._until_change(deadline):
                return command

    async def out_of_memory(self, bench: str, generation: str) -> None:
        """A bench is out of memory, and its process is about to end. See `SeatQueue.out_of_memory`."""
        self._seats.out_of_memory(bench, generation)
        self._notify()

    async def fail_waiting(self, reason: str) -> None:
        """See `SeatQueue.fail_waiting`."""
        self._seats.fail_waiting(reason)
        self._notify()

    async def exclude_node(self, bench: str, node: str, problem: str) -> None:
        """This bench has started on a node that cannot hold one. It is to move, and no bench is started there again."""
        self._excluded_nodes[node] = problem
        self._moving.add(bench)

    async def is_moving(self, bench: str) -> bool:
        """Whether this bench is to end, and to start again on another node."""
        return bench in self._moving

    async def status(self) -> PoolStatus:
        """For the driver."""
        benches, layout = self._bench_statuses(), self._layout
        capacity = autoscaling.trial_capacity(benches, self._seats.seats, layout.max_benches, layout.at_once)
        waited = self._start_timeout.seconds(time.monotonic())
        return PoolStatus(capacity, waited, self._stuck_reason, tuple(self._excluded_nodes.values()))

    async def close(self, seconds: float) -> None:
        """Closes all benches. Those that are open have so many seconds to end."""
        self._control.cancel()
        self._closing.update(self._benches)
        self._notify()
        youngest = max((self._launched[bench] for bench in self._benches), default=float("-inf"))
        await self._wait_for_end(self._benches, youngest + FRAGILE_SECONDS - time.monotonic())
        await self._wait_for_end(self._heartbeats, seconds)

    async def _wait_for_end(self, benches: Collection[str], seconds: float) -> None:
        runs = [self._benches[bench] for bench in self._benches.keys() & set(benches)]
        if runs and seconds > 0:
            await asyncio.wait(runs, timeout=seconds)

    def _next_command(self, bench: str, report: BenchReport) -> BenchCommand:
        if bench in self._closing and not report.seated:
            return BenchCommand(close=True)
        if not report.seated and (task := self._tasks.assign(bench)):
            return BenchCommand(task=task)
        return self._seats.next_command(bench, report)

    def _launch(self) -> None:
        name = f"bench-{_new_id()[:8]}"
        self._launched[name] = time.monotonic()
        self._benches[name] = asyncio.create_task(self._run_until_closed(name))

    async def _run_until_closed(self, bench: str) -> None:
        """Ray Train restarts the workers of a bench. When Ray Train itself fails, the bench is started again here."""
        failed_starts = 0
        for attempt in itertools.count():
            self._launched[bench] = time.monotonic()
            try:
                await asyncio.get_running_loop().run_in_executor(
                    self._threads, run_bench, self._run, bench, f"{bench}-{attempt}", tuple(self._excluded_nodes)
                )
            except Exception as error:
                failed_starts = 0 if bench in self._heartbeats else failed_starts + 1
                self._lose_bench(bench, f"Ray Train ended, {root_reason(error)}")
                if failed_starts >= MAX_FAILED_STARTS:
                    reason = f"no bench can be started, {root_reason(error)}"
                    self._tasks.fail_waiting(LostError(reason))
                    await self.fail_waiting(reason)
                if bench in self._closing:
                    break
                await asyncio.sleep(backoff_seconds(failed_starts))
            else:
                if bench in self._closing or bench not in self._moving:
                    break
                self._moving.discard(bench)
        self._seats.close_bench(bench)
        self._forget(bench)
        self._closing.discard(bench)
        self._moving.discard(bench)
        del self._benches[bench]

    async def _control_loop(self) -> None:
        while True:
            await asyncio.sleep(CONTROL_SECONDS)
            if not self._seats.stopping and self._stop_file.exists():
                self._seats.stop()
                self._notify()
            now = time.monotonic()
            for bench in [name for name, beat in self._heartbeats.items() if now - beat > SILENT_SECONDS]:
                self._lose_bench(bench, "its bench fell silent")
            self._check_start_timeout()
            benches = self._bench_statuses()
            if autoscaling.should_scale_up(benches, self._seats.waiting, self._layout.max_benches):
                self._launch()
            elif bench := autoscaling.scale_down(benches, time.monotonic()):
                self._closing.add(bench)
                self._notify()

    def _check_start_timeout(self) -> None:
        """Gives up once trials or tasks have waited for too long without an open bench."""
        now, is_wanted = time.monotonic(), bool(self._seats.waiting or self._tasks.waiting)
        is_over = self._start_timeout.update(now, bool(self._heartbeats), is_wanted, self._has_node)
        if self._orphan_sweep.is_due(self._start_timeout.seconds(now)):
            asyncio.get_running_loop().run_in_executor(None, remove_orphans)
        if is_over and self._stuck_reason is None:
            minutes = self._layout.wait_seconds / 60
            self._stuck_reason = no_node_message(self._layout.node_needed, minutes, "continue with --resume")
            self._tasks.fail_waiting(NoNodeError(self._stuck_reason))
            self._notify()

    def _has_node(self) -> bool:
        return can_hold_bench([node for node in alive_nodes() if node.id not in self._excluded_nodes], self._layout)

    def _lose_bench(self, bench: str, reason: str) -> None:
        self._seats.lose_bench(bench, reason)
        self._tasks.lose_bench(bench, reason)
        self._forget(bench)
        self._notify()

    def _forget(self, bench: str) -> None:
        self._heartbeats.pop(bench, None)
        self._idle_since.pop(bench, None)

    def _bench_statuses(self) -> list[autoscaling.BenchStatus]:
        """Of every bench that is launched and not about to close."""
        now, seats, statuses = time.monotonic(), self._seats, []
        for name in self._benches.keys() - self._closing:
            is_open = name in self._heartbeats
            if is_open and seats.is_idle(name) and self._tasks.is_idle(name):
                self._idle_since.setdefault(name, now)
            else:
                self._idle_since.pop(name, None)
            free, idle_since = seats.free_seats_of(name), self._idle_since.get(name)
            statuses.append(autoscaling.BenchStatus(name, seats.seats_of(name), free, is_open, idle_since))
        return statuses

    async def _wait_for(self, take: Callable[[], list[T]], seconds: float) -> list[T]:
        deadline = time.monotonic() + seconds
        while not (items := take()) and await self._until_change(deadline):
            pass
        return items

    def _notify(self) -> None:
        """Wakes every call that waits for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until_change(self, deadline: float) -> bool:
        """Waits for the next `_notify`; False when the deadline comes first."""
        try:
            await asyncio.wait_for(self._changed.wait(), max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            return False
        return True


def _new_id() -> str:
    return uuid.uuid4().hex
