"""The nodes of the Ray cluster, their resources, and waiting for a node that can hold a bench."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import ray

from search.planning.execution_mode import ExecutionMode
from search.planning.layout import BenchLayout
from search.planning.resources import Resources
from spaces.errors import InputError

POLL_SECONDS = 5.0
NOTICE_SECONDS = 60.0
BOOTSTRAP_FILE = "~/ray_bootstrap_config.yaml"
"""Where `ray up` leaves its YAML on the head, with the resources of each type of node filled in."""
NODE_SHARE = 0.001
"""Of the driver's node, per trial function: a thousand may run there, however few CPUs it has."""
HEAD = "node:__internal_head__"


@dataclass(frozen=True)
class Node:
    """A node that is alive."""

    id: str
    address: str
    resources: Resources
    is_head: bool

    def __str__(self) -> str:
        return f"node {self.address}"


def alive_nodes() -> tuple[Node, ...]:
    """In the order of their addresses."""
    nodes = [
        Node(
            id=node["NodeID"],
            address=node["NodeManagerAddress"],
            resources=Resources(
                *(node["Resources"].get(name, 0.0) for name in ("CPU", "GPU", "memory")),
            ),
            is_head=HEAD in node["Resources"],
        )
        for node in ray.nodes()
        if node["Alive"]
    ]
    return tuple(sorted(nodes, key=lambda node: (node.address, node.id)))


def driver_node_resources() -> dict[str, float]:
    """Ray resources for a function that must run on the driver's node and needs hardly any CPU."""
    return {"CPU": 0.0, f"node:{ray.util.get_node_ip_address()}": NODE_SHARE}


def total_resources(nodes: tuple[Node, ...], max_gpus: float = 0.0) -> Resources:
    """Of all these nodes together. `max_gpus`: GPUs that there may be once nodes were added."""
    each = tuple(node.resources for node in nodes)
    return Resources(
        cpus=sum(one.cpus for one in each),
        gpus=sum(one.gpus for one in each),
        memory=sum(one.memory for one in each),
        nodes=each if len(each) > 1 else (),
        max_gpus=max_gpus,
    )


def autoscaler_max_gpus(nodes: tuple[Node, ...]) -> float:
    """GPUs that the cluster may grow to, where the node types of its autoscaler are known; else those that it has.

    They are known on a head that `ray up` has started. A cluster on Kubernetes does not publish them: there
    `--gpus-per-bench` and `--max-benches` say it.
    """
    there = sum(node.resources.gpus for node in nodes)
    mine = ray.get_runtime_context().get_node_id()
    if not any(node.is_head and node.id == mine for node in nodes):
        return there
    return max(there, bootstrap_gpus(Path(BOOTSTRAP_FILE).expanduser()))


def bootstrap_gpus(bootstrap: Path) -> float:
    """GPUs of as many nodes as the YAML of `ray up` allows; 0 without such a file."""
    import yaml

    try:
        cluster = yaml.safe_load(bootstrap.read_text())
        kinds = [kind for name, kind in cluster["available_node_types"].items() if name != cluster["head_node_type"]]
        sizes = [
            float((kind.get("resources") or {}).get("GPU", 0))
            for kind in kinds
            for _ in range(int(kind.get("max_workers") or 0))
        ]
        workers = int(cluster.get("max_workers", len(sizes)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return 0.0
    return sum(sorted(sizes, reverse=True)[:workers])


def wait_for_nodes(mode: ExecutionMode, say: Callable[[str], None]) -> Resources:
    """The cluster's resources once it can hold a bench; asks its autoscaler for a node where it cannot yet.

    Raises InputError when none has come within `mode.wait_minutes`.
    """
    nodes = alive_nodes()
    resources = total_resources(nodes, autoscaler_max_gpus(nodes))
    bundles = missing_bundles(resources, mode)
    if bundles:
        _wait_for_bundles(bundles, mode.wait_minutes, say)
        nodes = alive_nodes()
        resources = total_resources(nodes, max(resources.max_gpus, autoscaler_max_gpus(nodes)))
    return resources


def missing_bundles(resources: Resources, mode: ExecutionMode) -> list[dict[str, float]]:
    """Ray bundles of one bench, where the cluster cannot hold one yet; else empty."""
    width = mode.gpus_per_bench or 1
    if mode.gpus_per_bench or resources.max_gpus >= width:
        return [{"GPU": 1.0}] * width if resources.gpus < width else []
    return [] if any(node.cpus >= 1 for node in resources.each_node) or resources.gpus >= 1 else [{"CPU": 1.0}]


def can_hold_bench(nodes: Iterable[Node], layout: BenchLayout) -> bool:
    """Whether these nodes could hold a bench if nothing else ran on them."""
    fitting = 0
    for node in nodes:
        has = {"GPU": node.resources.gpus, "CPU": node.resources.cpus}
        fitting += min(int(has[kind] // amount) for kind, amount in layout.worker.items() if amount)
    return fitting >= layout.workers


def describe_bundles(bundles: list[dict[str, float]]) -> str:
    """For example `a node with 2 GPUs`."""
    ((kind, amount),) = bundles[0].items()
    total = len(bundles) * amount
    return f"a node with {total:g} {kind}{'' if total == 1 else 's'}"


def _wait_for_bundles(bundles: list[dict[str, float]], minutes: float, say: Callable[[str], None]) -> None:
    # A placement group ends with this process; a request to the autoscaler would keep nodes for ever.
    group = ray.util.placement_group(bundles)
    node, started, last_notice = describe_bundles(bundles), time.monotonic(), float("-inf")
    try:
        while not group.wait(min(POLL_SECONDS, 60 * minutes)):
            waited = (time.monotonic() - started) / 60
            if waited >= minutes:
                raise InputError(no_node_message(node, minutes, "type the same again"))
            if time.monotonic() - last_notice >= NOTICE_SECONDS:
                last_notice = time.monotonic()
                say(f"Waiting for {node}: {waited:.0f} of {minutes:g} minutes, then it is given up")
    finally:
        ray.util.remove_placement_group(group)


def no_node_message(node: str, minutes: float, remedy: str) -> str:
    """Why a search that waited for such a node ends, and what to do then."""
    return (
        f"{node} has not come within {minutes:g} minutes; `ray status` on the head says what was tried (quota, spot "
        f"capacity, a node's set-up, another job on it); mend that or give --wait MINUTES, then {remedy}"
    )
