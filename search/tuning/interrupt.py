"""Ctrl-C: once in good order, twice at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def in_good_order(on_first: Callable[[], None]) -> Iterator[None]:
    """Within, the first Ctrl-C calls `on_first`; the second raises KeyboardInterrupt, as one outside does."""
    before = signal.getsignal(signal.SIGINT)

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        on_first()

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
