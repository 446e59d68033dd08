"""Resources that a bench still holds after it died while it started are freed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import ray
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group

from search.cluster.orphans import remove_orphans

pytestmark = pytest.mark.usefixtures("local_ray")


@ray.remote(num_cpus=0)
class Holder:
    """Holds a placement group, as the controller of a bench does."""

    def hold(self, cpus: float) -> PlacementGroup:
        group = placement_group([{"CPU": cpus}])
        assert group.wait(30)
        return group


@pytest.fixture
def cpus() -> Iterator[float]:
    """All CPUs of the cluster."""
    yield ray.cluster_resources()["CPU"]
    for group in placement_group_table():
        remove_placement_group(PlacementGroup(ray.PlacementGroupID.from_hex(group)))


def test_a_placement_group_of_a_dead_actor_is_removed(cpus: float) -> None:
    holder = Holder.remote()
    ray.get(holder.hold.remote(cpus))
    waiting = placement_group([{"CPU": cpus}])
    ray.kill(holder)

    deadline = time.monotonic() + 60
    while not waiting.wait(1) and time.monotonic() < deadline:
        remove_orphans()
    assert placement_group_table(waiting)["state"] == "CREATED"


def test_placement_groups_of_a_living_actor_and_of_the_driver_stay(cpus: float) -> None:
    holder = Holder.remote()
    groups = [ray.get(holder.hold.remote(cpus / 2)), placement_group([{"CPU": cpus / 2}])]
    assert groups[1].wait(30)
    remove_orphans()
    assert [placement_group_table(group)["state"] for group in groups] == ["CREATED"] * 2
