"""A bench's training workers: they ask the desk what to do, and do it."""

from __future__ import annotations

import os
import pickle
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayActorError

from search.benches.messages import BenchCommand, BenchReport, Task
from search.benches.outbox import Outbox
from search.benches.task_queue import TaskError, TaskProgress, TaskResult
from search.run_state.sync import pull_prepared
from spaces.errors import first_line
from spaces.records.pack_shape import PackShape
from spaces.records.trial_spec import TrialSpec
from spaces.storage_uri import Storage

HEARTBEAT_SECONDS = 2.0
UNHEARD_SECONDS = 60.0
"""A desk that has not answered for so long is gone, and whoever it worked for too."""
STORAGE_PAUSE_SECONDS = 15.0
"""How long a bench waits that could not read what it is built from, before it is started again."""
POLL_SECONDS = 0.05
"""How often a bench on which somebody sits asks the desk; it costs a millisecond or two."""


@dataclass(frozen=True)
class BenchSpec:
    """What every bench of a search is."""

    family: str
    model: str
    prepared: Path
    language: str
    shape: PackShape
    memory: float | None
    """Bytes for the seats of one; None for what the GPU has free."""
    exactly: bool
    """Whether the number of seats was asked for, whatever the memory seems to hold."""
    threads: int
    """Of torch."""
    storage: Storage | None = None
    """Where the run is kept when nodes share no folder."""
    lines: str = ""
    """Of the probe, by name or as a file."""


def serve(spec: BenchSpec, bench: str, desk: ActorHandle) -> None:
    """Serves trials until the desk closes the bench. Every worker of a bench calls this.

    Raises what a pack raises while it trains: Ray Train then starts the bench again.
    """
    opening = None
    if ray.train.get_context().get_world_rank() == 0:
        node = ray.get_runtime_context().get_node_id()
        opening = ray.get(desk.open.remote(bench, node), timeout=UNHEARD_SECONDS)
        threading.Thread(target=_beat, args=(desk, bench, opening.generation), daemon=True).start()
    # The desk knows of the bench before torch and the family are imported, which takes seconds.
    import torch

    from trainable.family.process_group import ProcessGroup
    from trainable.family.protocol import load_family

    torch.set_num_threads(spec.threads)
    # What is wrong with a family is said when it is needed.
    with suppress(Exception):
        load_family(spec.family)
    process_group = ProcessGroup()
    opening = process_group.broadcast(opening)
    _Service(spec, bench, opening.generation, opening.seats, desk, process_group).run()


def _beat(desk: ActorHandle, bench: str, generation: str) -> None:
    """Ends the process when the bench has been replaced, or nobody is left who could want it."""
    heard = time.monotonic()
    while time.monotonic() - heard < UNHEARD_SECONDS:
        try:
            if not ray.get(desk.beat.remote(bench, generation), timeout=UNHEARD_SECONDS):
                break
            heard = time.monotonic()
        except (RayActorError, GetTimeoutError):
            pass
        time.sleep(HEARTBEAT_SECONDS)
    os._exit(1)


class _Service:
    def __init__(
        self, spec: BenchSpec, bench: str, generation: str, seats: int, desk: ActorHandle, process_group: Any
    ) -> None:
        self._spec, self._name, self._generation, self._seats = spec, bench, generation, seats
        self._desk, self._group = desk, process_group
        self._outbox = Outbox()
        self._bench: Any = None
        self._pack_seats = 0
        self._polled = float("-inf")
        self._stop = False

    def run(self) -> None:
        from trainable.family.process_errors import is_out_of_memory

        try:
            while True:
                answer = self._group.broadcast(self._ask() if self._group.is_main else None)
                if answer is not None:
                    if answer.close:
                        return
                    self._follow(answer)
                if self._outbox.seated:
                    self._bench.advance(self._stop)
                if not self._group.is_main:
                    # The first one's are told.
                    self._outbox.take()
        except Exception as error:
            if is_out_of_memory(error):
                ray.get(self._desk.starve.remote(self._name, self._generation), timeout=UNHEARD_SECONDS)
            raise

    def _ask(self) -> BenchCommand | None:
        """The desk's answer; None when it is not yet time to ask."""
        is_due = time.monotonic() - self._polled >= POLL_SECONDS
        if self._outbox.seated and not is_due and not self._outbox.has_ending:
            return None
        standing = BenchReport(self._pack_seats, tuple(self._outbox.seated), self._outbox.take())
        poll = self._desk.poll.remote(self._name, self._generation, standing)
        answer = ray.get(poll, timeout=UNHEARD_SECONDS)
        if answer.void:
            os._exit(1)
        self._polled = time.monotonic()
        return answer

    def _follow(self, answer: BenchCommand) -> None:
        self._stop = answer.stop
        if answer.errand is not None:
            self._drop_pack()
            if self._group.is_main:
                _run(answer.errand, self._desk)
            # A model that the errand has used is large, and part of it may be held by cycles.
            _free_memory()
        if answer.is_wanted:
            self._set_up()
        for trial in answer.dismissed:
            self._bench.remove(trial)
            self._outbox.forget(trial)
        for text in answer.jobs:
            job = TrialSpec.model_validate_json(text)
            self._outbox.seated.add(job.trial)
            self._bench.seat(job)

    def _set_up(self) -> None:
        """A pack and its bench. What keeps it from being built would keep every trial from being trained."""
        from trainable.family.process_errors import is_out_of_memory
        from trainable.family.protocol import SeatLimit, load_family
        from trainable.training.bench import Bench

        spec, seats = self._spec, SeatLimit(self._seats, self._spec.memory, self._spec.exactly)
        try:
            pull_prepared(spec.storage, spec.lines)
            self._group.barrier()
            family = load_family(spec.family)
            pack = family.build_pack(spec.model, spec.prepared, spec.language, spec.shape, seats, self._group)
        except Exception as error:
            if isinstance(error, OSError):
                # Storage may be there again after a while, and the next process counts this one as dead.
                time.sleep(STORAGE_PAUSE_SECONDS)
            if is_out_of_memory(error) or isinstance(error, OSError) or self._group.size > 1:
                raise
            ray.get(self._desk.fail_waiting.remote(first_line(error)), timeout=UNHEARD_SECONDS)
            return
        self._bench, self._pack_seats = Bench(pack, self._group, self._outbox.put), pack.seats

    def _drop_pack(self) -> None:
        self._bench, self._pack_seats = None, 0
        _free_memory()


def _run(errand: Task, desk: ActorHandle) -> None:
    """Runs the work and sends its news to the desk."""

    def on_progress(what: str, done: int, of: int) -> None:
        desk.tell.remote(errand.number, TaskProgress(what, done, of))

    try:
        news = TaskResult(pickle.dumps(cloudpickle.loads(errand.work)(on_progress)))
    except Exception as error:
        news = TaskError.of(error)
    ray.get(desk.tell.remote(errand.number, news), timeout=UNHEARD_SECONDS)


def _free_memory() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
