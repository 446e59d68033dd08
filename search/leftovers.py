"""What Ray Train leaves behind when its controller is killed while it waits for CPUs or GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import ray
from ray.util.placement_group import PlacementGroup, remove_placement_group
from ray.util.state import list_placement_groups
from ray.util.state.exception import RayStateApiException

MOST_GROUPS = 10_000


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
        for group in _groups() - before:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID.from_hex(group)))


def _groups() -> set[str]:
    """Of this job; none where Ray's dashboard, which knows them, does not answer."""
    job = ray.get_runtime_context().get_job_id()
    with suppress(RayStateApiException, ConnectionError):
        found = list_placement_groups(filters=[("creator_job_id", "=", job)], limit=MOST_GROUPS)
        return {group.placement_group_id for group in found if group.state != "REMOVED"}
    return set()
