"""What Ray Train leaves behind when its controller is killed while it waits for CPUs or GPUs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import ray
from ray.util.placement_group import PlacementGroup, remove_placement_group
from ray.util.state import list_actors, list_placement_groups
from ray.util.state.exception import RayStateApiException

MOST_GROUPS = 10_000
CONTROLLER = "TrainController"
"""Ray Train's actor that asks for the resources of a run."""
PATIENCE_SECONDS = 20.0
"""For controllers to be gone; it takes one or two."""


@contextmanager
def no_placement_groups_left() -> Iterator[None]:
    """Removes, at the end, the placement groups that this job has made within.

    Train's own cleaner knows only those whose workers have started; another would keep its resources as soon as it gets
    them, until the job is over.
    """
    before = _groups()
    try:
        yield
    finally:
        _wait_for_controllers()
        for group in _groups() - before:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID.from_hex(group)))


def _wait_for_controllers() -> None:
    """Until none is alive that could make a group after the others are removed: they die some time after the actor that
    owns them."""
    job, deadline = ray.get_runtime_context().get_job_id(), time.monotonic() + PATIENCE_SECONDS
    with suppress(RayStateApiException, ConnectionError):
        while time.monotonic() < deadline:
            filters = [("job_id", "=", job), ("class_name", "=", CONTROLLER), ("state", "!=", "DEAD")]
            if not list_actors(filters=filters):
                return
            time.sleep(0.2)


def _groups() -> set[str]:
    """Of this job; none where Ray's dashboard, which knows them, does not answer."""
    job = ray.get_runtime_context().get_job_id()
    with suppress(RayStateApiException, ConnectionError):
        found = list_placement_groups(filters=[("creator_job_id", "=", job)], limit=MOST_GROUPS)
        return {group.placement_group_id for group in found if group.state != "REMOVED"}
    return set()
