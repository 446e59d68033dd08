"""How many benches there should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

STARTING_SECONDS = 600.0
"""What a bench may take to start and to load its model from slow storage, before a node that holds it counts for none:
another job may have its GPU."""
RETIRE_SECONDS = 60.0
"""A GPU that nobody has had a use for so long is given back, as long as another bench is open."""

ORPHAN_SECONDS = 5.0
"""How often it is looked for what a dead bench still holds."""


@dataclass(frozen=True)
class BenchStatus:
    """A bench that was launched."""

    name: str
    seats: int
    """As it says, or as it is wanted to have while it starts."""
    free: int
    is_open: bool
    idle_since: float | None
    """None while somebody sits there or it is on an errand."""


def should_scale_up(posts: Sequence[BenchStatus], waiting: int, most: int) -> bool:
    """Whether one more bench should be launched: more trials wait than find a seat on those that are there."""
    return len(posts) < most and waiting > sum(max(0, post.free) for post in posts)


def scale_down(posts: Sequence[BenchStatus], now: float) -> str | None:
    """The bench that should close because nobody needs it; never the last one that is open."""
    if sum(post.is_open for post in posts) < 2:
        return None
    idle = [post for post in posts if post.is_open and post.idle_since is not None]
    longest = min(idle, key=lambda post: post.idle_since, default=None)
    return longest.name if longest and now - longest.idle_since >= RETIRE_SECONDS else None


def trial_capacity(posts: Sequence[BenchStatus], seats: int, most: int, at_once: int) -> int:
    """How many trials should run, those that wait included: one for each seat, and, where another bench may be
    launched, as many as fill it, since it is launched only when somebody waits."""
    return max(1, min(at_once, sum(post.seats for post in posts) + (seats if len(posts) < most else 0)))


class StartTimeout:
    """For how long somebody has waited while no bench was open."""

    def __init__(self, patience: float) -> None:
        """`patience` in seconds."""
        self._patience = patience
        self._since: float | None = None

    def look(self, now: float, is_open: bool, is_wanted: bool, has_place: Callable[[], bool]) -> bool:
        """Takes note of how things stand: whether a bench is open, whether somebody waits for one, and, asked only
        then, whether there is a node that could hold one, where it may be starting. True once the patience is used up.
        """
        if is_open or not is_wanted:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return self.seconds(now) > self._patience + (STARTING_SECONDS if has_place() else 0)

    def seconds(self, now: float) -> float:
        return 0.0 if self._since is None else now - self._since


class OrphanSweep:
    """When to look for what a dead bench still holds: every so often while somebody waits and no bench is open."""

    def __init__(self) -> None:
        self._next = ORPHAN_SECONDS

    def is_due(self, waited: float) -> bool:
        """`waited` seconds for a bench; 0 while one is open or nobody waits."""
        if waited < self._next:
            if not waited:
                self._next = ORPHAN_SECONDS
            return False
        self._next = waited + ORPHAN_SECONDS
        return True
