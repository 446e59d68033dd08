"""Removes what Ray Train leaves behind when its controller is killed while it starts, or waits for CPUs or GPUs."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import ray
from ray.util.placement_group import PlacementGroup, remove_placement_group
from ray.util.state import list_actors, list_placement_groups
from ray.util.state.exception import RayStateApiException

LIMIT = 10_000
"""Of the state API: actors, and placement groups, per request."""
CONTROLLER, CLEANER = "TrainController", "PlacementGroupCleaner"
"""Ray Train's actors: the first requests the resources of a run; the second removes them when the first has died."""
PATIENCE_SECONDS = 60.0
"""For controllers to end, which takes one or two seconds on an idle machine, and for Ray's dashboard to answer."""
CLEANING_SECONDS = 5.0
"""How long a cleaner may outlive the last controller; it looks every second."""
UNAVAILABLE = (RayStateApiException, ConnectionError)
"""Errors of Ray's dashboard, which lists actors and groups, while it is too busy to answer."""


@dataclass(frozen=True)
class TrainActors:
    """Actors and placement groups of Ray Train."""

    controllers: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    cleaners: dict[str, int] = field(default_factory=dict)
    """Process ids on this node; 0 for one that has no process yet, or runs elsewhere."""


@contextmanager
def no_placement_groups_left() -> Iterator[None]:
    """Removes, at the end, the placement groups that this job has made within, and their cleaners.

    Ray Train's cleaner knows only groups whose workers have started; any other group would keep its resources until the
    job is over. A cleaner whose controller died before the cleaner began to watch it stays for ever.
    """
    before = _find_once_ready()
    try:
        yield
    finally:
        _sweep(before)


def remove_orphans() -> None:
    """Removes the placement groups of this job whose actor is dead.

    Ray itself keeps such a group until the job is over. A controller that is killed while its workers start leaves its
    group behind, and the next controller would wait for those resources for ever.
    """
    # The public state API does not tell which actor has made a group.
    from ray._private.state import state
    from ray.core.generated.gcs_pb2 import PlacementGroupTableData  # type: ignore[attr-defined]

    job = ray.get_runtime_context().get_job_id()
    for pickled in state._connect_and_get_accessor().get_placement_group_table():
        group = PlacementGroupTableData.FromString(pickled)
        is_ours = group.creator_job_id.hex() == job and group.state != PlacementGroupTableData.REMOVED
        # A group that the driver has made has no actor.
        has_actor = not ray.ActorID(group.creator_actor_id).is_nil()
        if is_ours and has_actor and group.creator_actor_dead and not group.is_detached:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(group.placement_group_id)))


def _sweep(before: TrainActors) -> None:
    """Removes groups and cleaners until none is left and no controller lives that could make another group: controllers
    die some time after the actor that owns them."""
    deadline, quiet_since = time.monotonic() + PATIENCE_SECONDS, float("inf")
    while (now := time.monotonic()) < deadline:
        with suppress(*UNAVAILABLE):
            found = _find()
            for group in found.groups - before.groups:
                remove_placement_group(PlacementGroup(ray.PlacementGroupID.from_hex(group)))
            quiet_since = float("inf") if found.controllers else min(quiet_since, now)
            cleaners = found.cleaners.keys() - before.cleaners.keys()
            if not (found.controllers or found.groups - before.groups or cleaners):
                return
            if now - quiet_since > CLEANING_SECONDS:
                _kill(found.cleaners[cleaner] for cleaner in cleaners)
        time.sleep(0.2)


def _kill(processes: Iterator[int]) -> None:
    for process in filter(None, processes):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _find_once_ready() -> TrainActors:
    """Waits for the dashboard, which may still be starting; finds nothing if it never answers."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(*UNAVAILABLE):
            return _find()
        time.sleep(0.2)
    return TrainActors()


def _find() -> TrainActors:
    """Those of this job. Raises the errors in UNAVAILABLE."""
    context = ray.get_runtime_context()
    # Several Rays may run on this machine, so the state API needs an address.
    job, node, here = context.get_job_id(), context.get_node_id(), context.gcs_address
    actors = [
        actor
        for name in (CONTROLLER, CLEANER)
        for actor in list_actors(
            here, filters=[("job_id", "=", job), ("class_name", "=", name), ("state", "!=", "DEAD")], limit=LIMIT
        )
    ]
    groups = list_placement_groups(here, filters=[("creator_job_id", "=", job)], limit=LIMIT)
    return TrainActors(
        frozenset(actor.actor_id for actor in actors if actor.class_name == CONTROLLER),
        frozenset(group.placement_group_id for group in groups if group.state != "REMOVED"),
        {
            actor.actor_id: (actor.pid or 0) if actor.node_id == node else 0
            for actor in actors
            if actor.class_name == CLEANER
        },
    )
