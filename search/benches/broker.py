"""The desk: where trials ask for seats and benches for trials. One light actor per search, on the driver's node."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ray

from search.benches.autoscaling import (
    BenchStatus,
    OrphanSweep,
    StartTimeout,
    scale_down,
    should_scale_up,
    trial_capacity,
)
from search.benches.messages import BenchCommand, BenchLease, BenchReport, PoolStatus
from search.benches.seat_queue import SeatQueue
from search.benches.task_queue import TaskQueue, TaskUpdate
from search.benches.train_run import BenchRun, backoff, run_bench
from search.benches.worker import HEARTBEAT_SECONDS, BenchSpec
from search.cluster.failure import DIED, LostError, NoNodeError, root_reason
from search.cluster.nodes import alive_nodes, holds, never_came
from search.cluster.orphans import remove_orphans
from search.planning.layout import BenchLayout
from trainable.training.events import Event

LOOK_SECONDS = 0.2
"""How often the desk looks around: for the stop file, for silent benches, for too few or too many of them."""
SILENT_SECONDS = 30.0
"""A bench says that it lives every two seconds, whatever else it does. After so long without a word it is given up."""
FRAGILE_SECONDS = 10.0
"""A Train controller that is killed while it starts leaves a helper behind for ever, so one that starts is let be."""
MOST_IN_VAIN = 4
"""After so many starts in a row that came to nothing, those who wait for a bench are told."""
IDLE_POLL_SECONDS = HEARTBEAT_SECONDS
"""How long a bench without trials waits for an answer that has something in it."""


class BenchBroker:
    """A thin shell around `SeatQueue` and `TaskQueue`, and the one who launches benches.

    It may lose its state: its benches die with it, trials hear that their tickets are lost and join again, and the
    desk that Ray starts in its place launches benches anew.
    """

    def __init__(
        self,
        layout: BenchLayout,
        spec: BenchSpec,
        storage: Path,
        stop_file: Path,
        identity: Mapping[str, str] | None = None,
    ) -> None:
        """`storage` is a folder that every node reaches; where `stop_file` stands, the search stops; `identity` as in
        `BenchRun`."""
        self._layout, self._stop_file = layout, stop_file
        self._orders, self._errands = SeatQueue(layout.seats, _name), TaskQueue(_name)
        self._run = BenchRun(layout, spec, storage, ray.get_runtime_context().current_actor, identity)
        # A bench is a blocking call in a thread for as long as it is there.
        self._threads = ThreadPoolExecutor(max_workers=max(1, layout.max_benches))
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self._open: dict[str, float] = {}
        """Open benches, and when each was heard last."""
        self._launched: dict[str, float] = {}
        """When each bench was last started."""
        self._idle_since: dict[str, float] = {}
        self._closing: set[str] = set()
        self._left_out: dict[str, str] = {}
        """Nodes by id, and what is wrong with them."""
        self._moving: set[str] = set()
        """Benches that are to start again on another node."""
        self._vigil, self._orphan_watch = StartTimeout(layout.wait_seconds), OrphanSweep()
        self._stranded: str | None = None
        self._changed = asyncio.Event()
        for _ in range(layout.initial_benches):
            self._launch()
        self._looking = asyncio.create_task(self._look_around())

    async def join(self, trial: str, job: str) -> str:
        """See `SeatQueue.join`."""
        ticket = self._orders.join(trial, job)
        self._notify()
        return ticket

    async def next(self, ticket: str, seconds: float) -> list[Event]:
        """What this ticket has not heard yet; empty when nothing happens for so many seconds."""
        deadline = time.monotonic() + seconds
        while not (events := self._orders.take(ticket)) and await self._until_change(deadline):
            pass
        return events

    async def leave(self, ticket: str) -> None:
        """See `SeatQueue.leave`."""
        self._orders.leave(ticket)
        self._notify()

    async def leave_trial(self, trial: str) -> None:
        """See `SeatQueue.leave_trial`."""
        self._orders.leave_trial(trial)
        self._notify()

    async def ask(self, work: bytes) -> str:
        """Takes an errand; returns its number."""
        number = self._errands.ask(work)
        if self._stranded is not None:
            self._errands.lose_waiting(NoNodeError(self._stranded))
        self._notify()
        return number

    async def news(self, number: str, seconds: float) -> list[TaskUpdate]:
        """What is new of an errand; empty when nothing happens for so many seconds."""
        deadline = time.monotonic() + seconds
        while not (news := self._errands.take(number)) and await self._until_change(deadline):
            pass
        return news

    async def tell(self, number: str, news: TaskUpdate) -> None:
        """News of an errand, from its bench."""
        self._errands.tell(number, news)
        self._notify()

    async def open(self, bench: str, node: str) -> BenchLease:
        """A bench's process has started on the node of this id. See `SeatQueue.open`."""
        self._errands.lose(bench, DIED)
        self._open[bench] = time.monotonic()
        opening = self._orders.open(bench, node, {each.id for each in alive_nodes()})
        self._notify()
        return opening

    async def beat(self, bench: str, generation: str) -> bool:
        """Whether this generation of the bench still counts."""
        if not self._orders.is_current(bench, generation):
            return False
        self._open[bench] = time.monotonic()
        return True

    async def poll(self, bench: str, generation: str, standing: BenchReport) -> BenchCommand:
        """Hears a bench and says what it is to do next. One without trials waits here until there is something."""
        if not await self.beat(bench, generation):
            return BenchCommand(void=True)
        self._orders.hear(bench, standing)
        self._notify()
        deadline = time.monotonic() + (0 if standing.seated else IDLE_POLL_SECONDS)
        while True:
            if not await self.beat(bench, generation):
                return BenchCommand(void=True)
            answer = self._answer(bench, standing)
            if not answer.is_empty or not await self._until_change(deadline):
                return answer

    async def starve(self, bench: str, generation: str) -> None:
        """A bench is out of memory, and its process is about to end. See `SeatQueue.starve`."""
        self._orders.starve(bench, generation)
        self._notify()

    async def fail_waiting(self, reason: str) -> None:
        """See `SeatQueue.fail_waiting`."""
        self._orders.fail_waiting(reason)
        self._notify()

    async def leave_out(self, bench: str, node: str, problem: str) -> None:
        """This bench has started on a node that it must not be on; no bench is started there any more."""
        self._left_out[node] = problem
        self._moving.add(bench)

    async def is_left_out(self, bench: str) -> bool:
        """Whether this bench is to end, and to start again on another node."""
        return bench in self._moving

    async def outlook(self) -> PoolStatus:
        """How things stand."""
        return PoolStatus(
            trial_capacity(self._posts(), self._orders.seats, self._layout.max_benches, self._layout.at_once),
            self._vigil.seconds(time.monotonic()),
            self._stranded,
            tuple(self._left_out.values()),
        )

    async def close(self, seconds: float) -> None:
        """Closes all benches. Those that are open may take so many seconds to end."""
        self._looking.cancel()
        self._closing.update(self._keeping)
        self._notify()
        youngest = max((self._launched[bench] for bench in self._keeping), default=float("-inf"))
        await self._until_ended(self._keeping, youngest + FRAGILE_SECONDS - time.monotonic())
        await self._until_ended(self._open, seconds)

    async def _until_ended(self, benches: Collection[str], seconds: float) -> None:
        keeping = [self._keeping[bench] for bench in self._keeping.keys() & set(benches)]
        if keeping and seconds > 0:
            await asyncio.wait(keeping, timeout=seconds)

    def _answer(self, bench: str, standing: BenchReport) -> BenchCommand:
        if bench in self._closing and not standing.seated:
            return BenchCommand(close=True)
        if not standing.seated and (errand := self._errands.deal(bench)):
            return BenchCommand(errand=errand)
        return self._orders.answer(bench, standing)

    def _launch(self) -> None:
        name = f"bench-{_name()[:8]}"
        self._launched[name] = time.monotonic()
        self._keeping[name] = asyncio.create_task(self._keep(name))

    async def _keep(self, bench: str) -> None:
        """Runs a bench until it closes. Ray Train repairs its workers; when Train itself fails it is started again."""
        in_vain = 0
        for attempt in itertools.count():
            self._launched[bench] = time.monotonic()
            try:
                await asyncio.get_running_loop().run_in_executor(
                    self._threads, run_bench, self._run, bench, f"{bench}-{attempt}", tuple(self._left_out)
                )
            except Exception as error:
                in_vain = 0 if bench in self._open else in_vain + 1
                self._lose(bench, f"Ray Train ended, {root_reason(error)}")
                if in_vain >= MOST_IN_VAIN:
                    self._give_up(f"no bench can be started, {root_reason(error)}")
                if bench in self._closing:
                    break
                await asyncio.sleep(backoff(in_vain))
            else:
                if bench in self._closing or bench not in self._moving:
                    break
                self._moving.discard(bench)
        self._orders.close(bench)
        self._forget(bench)
        self._closing.discard(bench)
        self._moving.discard(bench)
        del self._keeping[bench]

    async def _look_around(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._orders.stopping and self._stop_file.exists():
                self._orders.stop()
                self._notify()
            for bench in [name for name, heard in self._open.items() if time.monotonic() - heard > SILENT_SECONDS]:
                self._lose(bench, "its bench fell silent")
            self._look_for_benches()
            posts = self._posts()
            if should_scale_up(posts, self._orders.waiting, self._layout.max_benches):
                self._launch()
            elif bench := scale_down(posts, time.monotonic()):
                self._closing.add(bench)
                self._notify()

    def _look_for_benches(self) -> None:
        """Gives up once somebody has waited for too long while no bench was open."""
        is_wanted = bool(self._orders.waiting or self._errands.waiting)
        is_over = self._vigil.look(now := time.monotonic(), bool(self._open), is_wanted, self._has_place)
        if self._orphan_watch.is_due(self._vigil.seconds(now)):
            asyncio.get_running_loop().run_in_executor(None, remove_orphans)
        if is_over and self._stranded is None:
            self._stranded = never_came(self._layout.node_needed, self._layout.wait_seconds / 60, "go on with --resume")
            self._errands.lose_waiting(NoNodeError(self._stranded))
            self._notify()

    def _has_place(self) -> bool:
        return holds([node for node in alive_nodes() if node.id not in self._left_out], self._layout)

    def _lose(self, bench: str, reason: str) -> None:
        self._orders.lose(bench, reason)
        self._errands.lose(bench, reason)
        self._forget(bench)
        self._notify()

    def _give_up(self, reason: str) -> None:
        """Whoever waits for a bench would wait for ever."""
        self._orders.fail_waiting(reason)
        self._errands.lose_waiting(LostError(reason))
        self._notify()

    def _forget(self, bench: str) -> None:
        self._open.pop(bench, None)
        self._idle_since.pop(bench, None)

    def _posts(self) -> list[BenchStatus]:
        """Every bench that is launched and not about to close."""
        now, orders = time.monotonic(), self._orders
        posts = []
        for name in self._keeping.keys() - self._closing:
            if name in self._open and orders.is_idle(name) and self._errands.is_idle(name):
                self._idle_since.setdefault(name, now)
            else:
                self._idle_since.pop(name, None)
            idle = self._idle_since.get(name)
            posts.append(BenchStatus(name, orders.seats_of(name), orders.free_of(name), name in self._open, idle))
        return posts

    def _notify(self) -> None:
        """Whoever waits looks again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until_change(self, deadline: float) -> bool:
        """Waits for the next change of the books; False when the deadline comes first."""
        try:
            await asyncio.wait_for(self._changed.wait(), max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            return False
        return True


def _name() -> str:
    return uuid.uuid4().hex
