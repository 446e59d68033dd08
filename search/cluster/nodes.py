"""The nodes of the Ray that was started or joined, what they have, and waiting for one that has what is needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import ray

from search.planning.execution_mode import ExecutionMode
from search.planning.layout import BenchLayout
from search.planning.resources import Resources
from spaces.errors import InputError

LOOK_SECONDS = 5.0
SAY_SECONDS = 60.0
BOOTSTRAP_FILE = "~/ray_bootstrap_config.yaml"
"""Where `ray up` leaves its YAML on the head, with what each type of node has filled in."""
NODE_SHARE = 0.001
"""Of the driver's node, per trial: so many functions may run there, whatever CPUs it has."""
HEAD = "node:__internal_head__"


@dataclass(frozen=True)
class Node:
    """One that is alive."""

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


def on_this_node() -> dict[str, float]:
    """Ray's resources of what has to run on the driver's node and takes nothing of it."""
    return {"CPU": 0.0, f"node:{ray.util.get_node_ip_address()}": NODE_SHARE}


def resources_of(nodes: tuple[Node, ...], most_gpus: float = 0.0) -> Resources:
    """Of all of them together. `most_gpus` that there may be once nodes were added."""
    each = tuple(node.resources for node in nodes)
    return Resources(
        cpus=sum(one.cpus for one in each),
        gpus=sum(one.gpus for one in each),
        memory=sum(one.memory for one in each),
        nodes=each if len(each) > 1 else (),
        max_gpus=most_gpus,
    )


def most_gpus(nodes: tuple[Node, ...]) -> float:
    """GPUs that the cluster may come to have, as far as its autoscaler's types of nodes are known here; else those that
    it has.

    They are known on a head that `ray up` has started. A cluster on Kubernetes tells nobody: there `--gpus-per-bench`
    and `--max-benches` say it.
    """
    there = sum(node.resources.gpus for node in nodes)
    mine = ray.get_runtime_context().get_node_id()
    if not any(node.is_head and node.id == mine for node in nodes):
        return there
    return max(there, declared_gpus(Path(BOOTSTRAP_FILE).expanduser()))


def declared_gpus(bootstrap: Path) -> float:
    """GPUs of as many nodes as the YAML of `ray up` allows; 0 where there is none."""
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


def await_nodes(mode: ExecutionMode, say: Callable[[str], None]) -> Resources:
    """What the cluster has once it can hold a bench; asks its autoscaler for a node where it cannot yet.

    Raises InputError when none has come within `mode.wait_minutes`.
    """
    nodes = alive_nodes()
    resources = resources_of(nodes, most_gpus(nodes))
    bundles = lacking(resources, mode)
    if bundles:
        _await(bundles, mode.wait_minutes, say)
        nodes = alive_nodes()
        resources = resources_of(nodes, max(resources.max_gpus, most_gpus(nodes)))
    return resources


def lacking(resources: Resources, mode: ExecutionMode) -> list[dict[str, float]]:
    """Ray's bundles for one bench that nothing in the cluster can hold so far; empty where there is room for one."""
    width = mode.gpus_per_bench or 1
    if mode.gpus_per_bench or resources.max_gpus >= width:
        return [{"GPU": 1.0}] * width if resources.gpus < width else []
    return [] if any(node.cpus >= 1 for node in resources.each_node) or resources.gpus >= 1 else [{"CPU": 1.0}]


def holds(nodes: Iterable[Node], layout: BenchLayout) -> bool:
    """Whether these nodes, with nothing else on them, can hold a bench."""
    fitting = 0
    for node in nodes:
        has = {"GPU": node.resources.gpus, "CPU": node.resources.cpus}
        fitting += min(int(has[kind] // amount) for kind, amount in layout.worker.items() if amount)
    return fitting >= layout.workers


def in_words(bundles: list[dict[str, float]]) -> str:
    """`a node with 2 GPUs`."""
    ((kind, amount),) = bundles[0].items()
    total = len(bundles) * amount
    return f"a node with {total:g} {kind}{'' if total == 1 else 's'}"


def _await(bundles: list[dict[str, float]], minutes: float, say: Callable[[str], None]) -> None:
    # A placement group goes with this process whatever becomes of it; a standing request would keep nodes for ever.
    group = ray.util.placement_group(bundles)
    started, said = time.monotonic(), float("-inf")
    try:
        while not group.wait(min(LOOK_SECONDS, 60 * minutes)):
            waited = (time.monotonic() - started) / 60
            if waited >= minutes:
                raise InputError(never_came(in_words(bundles), minutes, "type the same again"))
            if time.monotonic() - said >= SAY_SECONDS:
                said = time.monotonic()
                say(f"Waiting for {in_words(bundles)}: {waited:.0f} of {minutes:g} minutes, then it is given up")
    finally:
        ray.util.remove_placement_group(group)


def never_came(node: str, minutes: float, remedy: str) -> str:
    """Why a search ends that waits for such a node, and what to do once that is mended."""
    return (
        f"{node} has not come within {minutes:g} minutes; `ray status` on the head says what was tried (quota, spot "
        f"capacity, a node's set-up, another job on it); mend that or give --wait MINUTES, then {remedy}"
    )
