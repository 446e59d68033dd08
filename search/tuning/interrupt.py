"""Ctrl-C: the first ends the search gracefully, the second at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def graceful_interrupt(on_first: Callable[[], None]) -> Iterator[None]:
    """Within, the first Ctrl-C calls `on_first`, and the second raises KeyboardInterrupt as usual."""
    before = signal.getsignal(signal.SIGINT)

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        on_first()

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
