"""Work that is not a trial, for a bench that nobody sits on: bookkeeping alone, as in `search.benches.seat_queue`."""

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
"""All but the first are the last of an errand."""


@dataclass
class _Entry:
    errand: Task
    bench: str | None = None
    news: list[TaskUpdate] = field(default_factory=list)


class TaskQueue:
    """Each errand is run by one bench; when the bench is lost, whoever asked hears of it and may ask again."""

    def __init__(self, name: Callable[[], str]) -> None:
        self._name = name
        self._entries: dict[str, _Entry] = {}

    def ask(self, work: bytes) -> str:
        """The number under which `take` has news of this work."""
        number = self._name()
        self._entries[number] = _Entry(Task(number, work))
        return number

    def take(self, number: str) -> list[TaskUpdate]:
        """News since the last call. After the last of an errand, and of one that is not known: that it is lost."""
        if number not in self._entries:
            return [TaskError.of(LostError("the broker knows nothing of it"))]
        entry = self._entries[number]
        news, entry.news = entry.news, []
        if any(not isinstance(item, TaskProgress) for item in news):
            del self._entries[number]
        return news

    def deal(self, bench: str) -> Task | None:
        """The next errand for this bench."""
        for entry in self._entries.values():
            if entry.bench is None and not entry.news:
                entry.bench = bench
                return entry.errand
        return None

    def tell(self, number: str, news: TaskUpdate) -> None:
        if number in self._entries:
            self._entries[number].news.append(news)

    def is_idle(self, bench: str) -> bool:
        return all(entry.bench != bench for entry in self._entries.values())

    def lose(self, bench: str, reason: str) -> None:
        """The bench is gone, and what it was at with it."""
        for entry in self._entries.values():
            if entry.bench == bench and all(isinstance(item, TaskProgress) for item in entry.news):
                entry.news.append(TaskError.of(LostError(reason)))

    @property
    def waiting(self) -> int:
        """Those that no bench has taken up."""
        return sum(entry.bench is None and not entry.news for entry in self._entries.values())

    def lose_waiting(self, error: LostError) -> None:
        """There is no bench for those that none has taken up."""
        for entry in self._entries.values():
            if entry.bench is None:
                entry.news.append(TaskError.of(error))
