"""Sends what is looked at on nodes to them as it is here, instead of having it imported there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ray import cloudpickle

from search.cluster import environment, node_probe

MODULES = node_probe, environment
_lock = threading.Lock()
_within = 0


@contextmanager
def carried() -> Iterator[None]:
    """Within, functions of `node_probe` and `environment` are pickled whole. Threads may be within at the same time."""
    _count(1)
    try:
        yield
    finally:
        _count(-1)


def _count(step: int) -> None:
    global _within
    with _lock:
        before, _within = _within, _within + step
        for module in MODULES:
            if before == 0:
                cloudpickle.register_pickle_by_value(module)
            elif _within == 0:
                cloudpickle.unregister_pickle_by_value(module)
