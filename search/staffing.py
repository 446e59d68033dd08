"""How many benches there should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RETIRE_SECONDS = 60.0
"""A GPU that nobody has had a use for so long is given back, as long as another bench is open."""


@dataclass(frozen=True)
class Post:
    """A bench that was launched."""

    name: str
    seats: int
    """As it says, or as it is wanted to have while it starts."""
    free: int
    is_open: bool
    idle_since: float | None
    """None while somebody sits there or it is on an errand."""


def is_short(posts: Sequence[Post], waiting: int, most: int) -> bool:
    """Whether one more bench should be launched: more trials wait than find a seat on those that are there."""
    return len(posts) < most and waiting > sum(max(0, post.free) for post in posts)


def retiring(posts: Sequence[Post], now: float) -> str | None:
    """The bench that should close because nobody needs it; never the last one that is open."""
    if sum(post.is_open for post in posts) < 2:
        return None
    idle = [post for post in posts if post.is_open and post.idle_since is not None]
    longest = min(idle, key=lambda post: post.idle_since, default=None)
    return longest.name if longest and now - longest.idle_since >= RETIRE_SECONDS else None


def room(posts: Sequence[Post], seats: int, most: int, at_once: int) -> int:
    """How many trials should run, those that wait included: one for each seat, and, where another bench may be
    launched, as many as fill it, since it is launched only when somebody waits."""
    return max(1, min(at_once, sum(post.seats for post in posts) + (seats if len(posts) < most else 0)))
