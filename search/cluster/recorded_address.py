"""Finds a Ray that `ray start` or `ray up` has started on this machine, which a search joins without `--address`."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

CONNECT_SECONDS = 2.0


def recorded_address(environment: Mapping[str, str]) -> str | None:
    """`host:port` of the Ray that this user has started here, if it answers. None without one, and where `RAY_ADDRESS`
    names another.

    Only `ray start` writes the record that is read here, `ray.init()` never does. A record that is left from before the
    machine was switched off, or that another user wrote, is ignored: `--address` joins those.
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
    """Found as Ray finds it."""
    return Path(environment.get("RAY_TMPDIR") or environment.get("TMPDIR") or "/tmp")


def _has_node_here(address: str) -> bool:
    """Whether a node of that Ray runs on this machine. Connecting to a dead address would take 40 s."""
    from ray._private.services import find_gcs_addresses

    return address in find_gcs_addresses()


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True
