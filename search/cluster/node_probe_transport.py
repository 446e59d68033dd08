"""Sends functions that inspect nodes by value, instead of having the nodes import them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ray import cloudpickle

from search.cluster import environment, node_probe

MODULES = node_probe, environment
_lock = threading.Lock()
_users = 0


@contextmanager
def pickled_by_value() -> Iterator[None]:
    """Within, functions of `node_probe` and `environment` are pickled by value. Several threads may enter."""
    _add_users(1)
    try:
        yield
    finally:
        _add_users(-1)


def _add_users(change: int) -> None:
    global _users
    with _lock:
        before, _users = _users, _users + change
        for module in MODULES:
            if before == 0:
                cloudpickle.register_pickle_by_value(module)
            elif _users == 0:
                cloudpickle.unregister_pickle_by_value(module)
