"""The training workers of a bench: they poll the broker for commands and carry them out."""

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

from search.benches.messages import BenchCommand, BenchLease, BenchReport, Task
from search.benches.task_queue import TaskError, TaskProgress, TaskResult
from search.run_state.sync import pull_prepared
from search.tuning.tune_report import REPORT_SECONDS
from spaces.errors import first_line
from spaces.pack_shape import PackShape
from spaces.storage_uri import Storage
from trainable.training.events import Event, Progress, thinned

HEARTBEAT_SECONDS = 2.0
BROKER_TIMEOUT_SECONDS = 60.0
"""A broker that has not answered for so long is gone, and the search with it."""
STORAGE_PAUSE_SECONDS = 15.0
"""Before a bench that could not read its inputs ends and is started again."""
POLL_SECONDS = 0.05
"""Between two polls of a bench with trials; one takes a millisecond or two."""


@dataclass(frozen=True)
class BenchSpec:
    """What all benches of a search have in common."""

    family: str
    model: str
    prepared: Path
    language: str
    shape: PackShape
    memory: float | None
    """Bytes for the seats of one bench; None for what the GPU has free."""
    force_seats: bool
    """Build as many seats as were asked for, however small the memory seems."""
    threads: int
    """Of torch."""
    storage: Storage | None = None
    """Where the run is kept when nodes share no folder."""
    lines: str = ""
    """Of the probe: a name or a file."""
    recogniser: str = "none"
    """Of the probe, by name."""


def serve(spec: BenchSpec, bench: str, broker: ActorHandle) -> None:
    """Serves trials until the broker closes the bench. Every worker of a bench calls this.

    Raises what a pack raises while it trains: Ray Train then starts the bench again.
    """
    lease = None
    if ray.train.get_context().get_world_rank() == 0:
        node = ray.get_runtime_context().get_node_id()
        lease = ray.get(broker.register_bench.remote(bench, node), timeout=BROKER_TIMEOUT_SECONDS)
        threading.Thread(target=_send_heartbeats, args=(broker, bench, lease.generation), daemon=True).start()
    # The bench registers before torch and the family are imported, which takes seconds.
    import torch

    from trainable.family.process_group import ProcessGroup
    from trainable.family.protocol import load_family

    torch.set_num_threads(spec.threads)
    # An error of the family is reported when a pack is built.
    with suppress(Exception):
        load_family(spec.family)
    process_group = ProcessGroup()
    _BenchWorker(spec, bench, process_group.broadcast(lease), broker, process_group).run()


def _send_heartbeats(broker: ActorHandle, bench: str, generation: str) -> None:
    """Ends the process when the bench has been replaced, or the broker is gone."""
    answered = time.monotonic()
    while time.monotonic() - answered < BROKER_TIMEOUT_SECONDS:
        try:
            if not ray.get(broker.heartbeat.remote(bench, generation), timeout=BROKER_TIMEOUT_SECONDS):
                break
            answered = time.monotonic()
        except (RayActorError, GetTimeoutError):
            pass
        time.sleep(HEARTBEAT_SECONDS)
    os._exit(1)


class _BenchWorker:
    def __init__(self, spec: BenchSpec, bench: str, lease: BenchLease, broker: ActorHandle, process_group: Any) -> None:
        self._spec, self._name, self._lease, self._broker, self._group = spec, bench, lease, broker, process_group
        self._seated: set[str] = set()
        """Trials by name."""
        self._events: list[Event] = []
        """Since the last poll."""
        self._bench: Any = None
        self._pack_seats = 0
        self._polled = float("-inf")
        self._stop = False

    def run(self) -> None:
        from trainable.family.process_errors import is_out_of_memory

        try:
            while True:
                command = self._group.broadcast(self._poll() if self._group.is_main else None)
                if command is not None:
                    if command.close:
                        return
                    self._execute(command)
                if self._seated:
                    self._bench.advance(self._stop)
                if not self._group.is_main:
                    # Only the main process reports events.
                    self._events.clear()
        except Exception as error:
            if is_out_of_memory(error):
                report = self._broker.out_of_memory.remote(self._name, self._lease.generation)
                ray.get(report, timeout=BROKER_TIMEOUT_SECONDS)
            raise

    def _poll(self) -> BenchCommand | None:
        """The broker's next command; None when it is not yet time to ask."""
        is_due = time.monotonic() - self._polled >= POLL_SECONDS
        has_free_seat = any(not isinstance(event, Progress) for event in self._events)
        if self._seated and not is_due and not has_free_seat:
            return None
        report = BenchReport(self._pack_seats, tuple(self._seated), tuple(self._events))
        self._events.clear()
        poll = self._broker.poll.remote(self._name, self._lease.generation, report)
        command = ray.get(poll, timeout=BROKER_TIMEOUT_SECONDS)
        if command.exit:
            os._exit(1)
        self._polled = time.monotonic()
        return command

    def _execute(self, command: BenchCommand) -> None:
        self._stop = command.stop
        if command.task is not None:
            self._bench, self._pack_seats = None, 0
            _free_memory()
            if self._group.is_main:
                _run_task(command.task, self._broker)
            # A model that the task has used is large, and reference cycles may hold part of it.
            _free_memory()
        if command.build_pack:
            self._build_pack()
        for trial in command.dismissed:
            self._bench.remove(trial)
            self._seated.discard(trial)
        for spec in command.trial_specs:
            self._seated.add(spec.trial)
            self._bench.seat(spec)

    def _build_pack(self) -> None:
        """Builds a pack and its bench. Where that fails, it would fail for every trial: all that wait fail."""
        from trainable.family.process_errors import is_out_of_memory
        from trainable.family.protocol import SeatLimit, load_family
        from trainable.training.bench import Bench

        spec = self._spec
        try:
            seats = SeatLimit(self._lease.seats, spec.memory, spec.force_seats, _reserve_for(spec.recogniser))
            pull_prepared(spec.storage, spec.lines)
            self._group.barrier()
            family = load_family(spec.family)
            pack = family.build_pack(spec.model, spec.prepared, spec.language, spec.shape, seats, self._group)
        except Exception as error:
            if isinstance(error, OSError):
                # Storage may recover meanwhile; each new process counts as a death of the bench.
                time.sleep(STORAGE_PAUSE_SECONDS)
            if is_out_of_memory(error) or isinstance(error, OSError) or self._group.size > 1:
                raise
            ray.get(self._broker.fail_waiting.remote(first_line(error)), timeout=BROKER_TIMEOUT_SECONDS)
            return
        self._bench = Bench(pack, self._group, thinned(self._on_event, REPORT_SECONDS))
        self._pack_seats = pack.seats

    def _on_event(self, event: Event) -> None:
        self._events.append(event)
        if not isinstance(event, Progress):
            self._seated.discard(event.trial)


def _run_task(task: Task, broker: ActorHandle) -> None:
    """Runs the work and sends its updates to the broker."""

    def on_progress(what: str, done: int, of: int) -> None:
        broker.update_task.remote(task.id, TaskProgress(what, done, of))

    update: TaskResult | TaskError
    try:
        update = TaskResult(pickle.dumps(cloudpickle.loads(task.work)(on_progress)))
    except Exception as error:
        update = TaskError.of(error)
    ray.get(broker.update_task.remote(task.id, update), timeout=BROKER_TIMEOUT_SECONDS)


def _reserve_for(recogniser: str) -> float:
    """Bytes to keep free on the GPU for the recogniser of the probe.

    A task may have left it there. It is unloaded, so that a bench finds equal room whenever it starts.
    """
    import torch

    from trainable.speech.asr.checkpoint_recogniser import open_checkpoint
    from trainable.speech.background.memory import gpu_bytes

    if not torch.cuda.is_available():
        return 0.0
    open_checkpoint.cache_clear()
    _free_memory()
    return gpu_bytes(recogniser)


def _free_memory() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
