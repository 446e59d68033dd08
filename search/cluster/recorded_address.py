"""A Ray that `ray start` or `ray up` has begun on this machine, as far as a search may join it without being asked."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

CONNECT_SECONDS = 2.0


def recorded_ray(environment: Mapping[str, str]) -> str | None:
    """`host:port` of the Ray that is recorded here, where this user has recorded it and it answers; otherwise None, as
    where `RAY_ADDRESS` names one.

    Only `ray start` keeps such a record, never a `ray.init()` of somebody's own. What a machine that was switched off
    has left behind, and what another user has started, is passed over: joining those has to be asked for.
    """
    if environment.get("RAY_ADDRESS"):
        return None
    record = _temporary_folder(environment) / "ray" / "ray_current_cluster"
    try:
        is_mine, address = record.stat().st_uid == os.getuid(), record.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
    return address if is_mine and _has_node_here(address) and _answers(address) else None


def _temporary_folder(environment: Mapping[str, str]) -> Path:
    """Where Ray keeps its record, found as Ray finds it."""
    return Path(environment.get("RAY_TMPDIR") or environment.get("TMPDIR") or "/tmp")


def _has_node_here(address: str) -> bool:
    """Whether a node of that Ray runs on this machine. Asking the address itself would take 40 s where nobody is."""
    from ray._private.services import find_gcs_addresses

    return address in find_gcs_addresses()


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True
