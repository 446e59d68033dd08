"""Queue of work that is not a trial, for benches without trials. Pure bookkeeping, like `search.benches.seat_queue`."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field

from search.benches.messages import Task
from search.cluster.failure import LostError
from spaces.errors import first_line


@dataclass(frozen=True)
class TaskProgress:
    """How much is done, of how much, of what."""

    what: str
    done: int
    of: int


@dataclass(frozen=True)
class TaskResult:
    """What the work returned, pickled."""

    result: bytes


@dataclass(frozen=True)
class TaskError:
    """What the work raised, or a LostError where its bench is gone; pickled."""

    error: bytes

    @classmethod
    def of(cls, error: Exception) -> TaskError:
        """An error that cannot be pickled is replaced by a RuntimeError with its first line."""
        try:
            pickled = pickle.dumps(error)
            pickle.loads(pickled)
        except Exception:
            pickled = pickle.dumps(RuntimeError(first_line(error)))
        return cls(pickled)


TaskUpdate = TaskProgress | TaskResult | TaskError
"""All but the first are the last of a task."""


@dataclass
class _Entry:
    task: Task
    bench: str | None = None
    updates: list[TaskUpdate] = field(default_factory=list)


class TaskQueue:
    """Each task is run by one bench. When that bench is lost, the task ends in a LostError."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        """`new_id()` returns an id that was never used before."""
        self._new_id = new_id
        self._entries: dict[str, _Entry] = {}

    def submit(self, work: bytes) -> str:
        """The id of the new task."""
        task_id = self._new_id()
        self._entries[task_id] = _Entry(Task(task_id, work))
        return task_id

    def take_updates(self, task_id: str) -> list[TaskUpdate]:
        """Updates since the last call. An unknown task, or one whose last update was taken, is lost."""
        if task_id not in self._entries:
            return [TaskError.of(LostError("the broker does not know this task"))]
        entry = self._entries[task_id]
        updates, entry.updates = entry.updates, []
        if any(not isinstance(update, TaskProgress) for update in updates):
            del self._entries[task_id]
        return updates

    def assign(self, bench: str) -> Task | None:
        """The next task for this bench."""
        for entry in self._entries.values():
            if entry.bench is None and not entry.updates:
                entry.bench = bench
                return entry.task
        return None

    def add_update(self, task_id: str, update: TaskUpdate) -> None:
        if task_id in self._entries:
            self._entries[task_id].updates.append(update)

    def is_idle(self, bench: str) -> bool:
        return all(entry.bench != bench for entry in self._entries.values())

    def lose_bench(self, bench: str, reason: str) -> None:
        """The bench is gone: the tasks that it had not finished end in a LostError."""
        for entry in self._entries.values():
            if entry.bench == bench and all(isinstance(update, TaskProgress) for update in entry.updates):
                entry.updates.append(TaskError.of(LostError(reason)))

    @property
    def waiting(self) -> int:
        """Tasks that no bench has taken."""
        return sum(entry.bench is None and not entry.updates for entry in self._entries.values())

    def fail_waiting(self, error: LostError) -> None:
        """Tasks that no bench has taken end in this error."""
        for entry in self._entries.values():
            if entry.bench is None:
                entry.updates.append(TaskError.of(error))
