"""What a bench that died while it started still holds is given back."""

from __future__ import annotations

import pytest
import ray
from ray.util.placement_group import placement_group, placement_group_table, remove_placement_group

from search.leftovers import Strays

pytestmark = pytest.mark.usefixtures("local_ray")


def test_a_group_that_nobody_owns_makes_room_for_one_that_waits():
    cpus = ray.cluster_resources()["CPU"]
    held = placement_group([{"CPU": cpus}])
    assert held.wait(30)
    strays = Strays()
    strays.remove()
    strays.remove()
    assert placement_group_table(held)["state"] == "CREATED", "nobody waits for what it holds"
    waiting = placement_group([{"CPU": cpus}])
    strays.remove()
    assert waiting.wait(30)
    remove_placement_group(waiting)


def test_a_group_that_has_just_got_its_resources_is_let_be():
    cpus = ray.cluster_resources()["CPU"]
    held = placement_group([{"CPU": cpus}])
    assert held.wait(30)
    waiting = placement_group([{"CPU": cpus}])
    Strays().remove()
    assert placement_group_table(held)["state"] == "CREATED"
    for group in (held, waiting):
        remove_placement_group(group)
