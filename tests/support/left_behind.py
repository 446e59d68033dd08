"""Checks that an ended search has left nothing in a Ray that still runs."""

from __future__ import annotations

import time

import ray
from ray.util.state import list_actors, list_placement_groups

PATIENCE_SECONDS = 60
RAYS_OWN = "_AutoscalingCoordinatorActor"
"""Ray's own actor, which stays as long as the cluster."""


def assert_nothing_is_left() -> None:
    """No actor and no placement group is left, and all CPUs are free."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := _left():
        assert time.monotonic() < deadline, left
        time.sleep(0.5)


def _left() -> list[str]:
    # Other Rays may run on this machine.
    here = ray.get_runtime_context().gcs_address
    actors = [actor.class_name for actor in list_actors(here) if actor.state != "DEAD" and actor.class_name != RAYS_OWN]
    groups = [group.placement_group_id for group in list_placement_groups(here) if group.state != "REMOVED"]
    taken = ray.cluster_resources().get("CPU", 0) - ray.available_resources().get("CPU", 0)
    return [*actors, *groups, *([f"{taken} CPUs"] if taken > 1e-6 else [])]
