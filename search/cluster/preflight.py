"""What is looked at on every node of a cluster before the first trial, so that nothing of it is found out by a trial
that fails: storage, versions, data, GPUs, disks."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.cluster import environment, node_probe
from search.cluster.failure import root_reason
from search.cluster.node_probe import HUB_CACHE, RAYS_FOLDER
from search.cluster.node_probe_transport import carried
from search.cluster.nodes import Node, alive_nodes
from search.planning.disk import FULL_BYTES, format_bytes
from search.planning.plan import Plan
from spaces.errors import InputError
from spaces.storage_uri import join_uri

ANSWER_SECONDS = 120.0
"""For one question to a node; the first starts a Python there."""
TAKEN_BYTES = 2e9
"""More than this in use on a GPU that Ray believes free, and somebody else is working there. Looking takes half a
gigabyte of it by itself."""


@dataclass(frozen=True)
class NodeRequirements:
    """What every node must have."""

    storage: str
    """A folder or a URI that every node writes and reads."""
    inputs: tuple[str, ...]
    """Paths that have to exist."""
    room: Mapping[str, float]
    """Free bytes by folder."""


def needs_of(plan: Plan, model_bytes: float) -> NodeRequirements:
    """`model_bytes` of a model that every node has to download; 0 for one that lies in a folder."""
    probe = plan.space.probe
    named = [Path(name) for name in (plan.model, probe.recogniser) if Path(name).is_absolute()]
    if plan.storage is None:
        # Otherwise these travel through storage.
        named += [source.path for source in plan.sources if source.path is not None]
        named += [Path(probe.lines)] if Path(probe.lines).is_absolute() else []
    room = {str(plan.run.path): FULL_BYTES, str(plan.cache): FULL_BYTES, RAYS_FOLDER: FULL_BYTES}
    if model_bytes:
        room[HUB_CACHE] = model_bytes
    return NodeRequirements(plan.storage or str(plan.run.path), tuple(str(path) for path in named), room)


def check_nodes(needs: NodeRequirements, say: Callable[[str], None]) -> None:
    """Looks at every node that is alive. Raises InputError with all that is amiss, each with its node and remedy."""
    nodes = alive_nodes()
    with carried():
        examined, problems = _ask(nodes, node_probe.look_at_node, lambda node: (needs.inputs, needs.room))
        here = environment.identity()
        for node, seen in examined.items():
            problems += [f"{node}: {told}" for told in environment.differences(seen["identity"], here)]
            problems += [
                f"{node}: {path} is not there; put it on storage that every node has at this path"
                for path in seen["missing"]
            ]
            problems += [
                f"{node}: {format_bytes(free)} free in {folder}, {format_bytes(needed)} needed; make room there"
                for folder, (free, needed) in seen["full"].items()
            ]
        problems += _storage(tuple(examined), needs.storage)
        problems += _gpus(tuple(examined))
    if problems:
        told = "\n".join(f"  {problem}" for problem in problems)
        raise InputError(f"the cluster is not ready, {len(problems)} to mend:\n{told}")
    say(f"Nodes:  {len(nodes)} looked at: storage, versions, data, GPUs and disks are in order")


def _storage(nodes: tuple[Node, ...], storage: str) -> list[str]:
    folder = mark_folder(storage)
    written, problems = _ask(nodes, node_probe.write_mark, lambda node: (folder, node.id))
    problems += [
        f"{node}: {storage} cannot be written ({error}); mount it there for the user that Ray runs as, or give --out a "
        "folder on storage that all nodes share"
        for node, error in written.items()
        if error is not None
    ]
    writers = {node.id: node for node, error in written.items() if error is None}
    unread, silent = _ask(tuple(written), node_probe.unread_marks, lambda node: (folder, tuple(writers)))
    problems += silent
    problems += [
        f"{node}: what {_listed(writers[name] for name in names)} wrote to {storage} is not seen there; it must be one "
        "storage at one path on all nodes: mount it, or give --out a folder on it"
        for node, names in unread.items()
        if names
    ]
    # A folder that is not shared is another one on every node.
    _ask(tuple(writers.values()), node_probe.remove_marks, lambda node: (folder,))
    return problems


def mark_folder(storage: str) -> str:
    """For the marks of one look around, in a folder or at a URI, whose options stand behind its path."""
    name = f".nodes-{uuid.uuid4().hex[:8]}"
    return join_uri(storage, name) if "://" in storage else f"{storage}/{name}"


def _gpus(nodes: tuple[Node, ...]) -> list[str]:
    """Of those that Ray believes free: what trains on the others is known to Ray."""
    free = {node: free_gpus(node) for node in nodes}
    asked = tuple(node for node, count in free.items() if count)
    seen, problems = _ask(asked, node_probe.look_at_gpus, lambda node: (), lambda node: {"num_gpus": free[node]})
    for node, found in seen.items():
        problems += gpu_problems(str(node), free[node], found)
    return problems


def gpu_problems(node: str, counted: int, found: Mapping[str, Any]) -> list[str]:
    """What is amiss with GPUs of which Ray counts so many; `found` is what `look_at_gpus` returned there."""
    if found["seen"] < counted:
        why = f" ({found['error']})" if found["error"] else ""
        return [
            f"{node}: Ray counts {counted} free GPU{'s' if counted > 1 else ''} and torch sees {found['seen']}{why}; "
            "see `nvidia-smi` there, install the driver and a CUDA build of torch, or start Ray there with the right "
            "--num-gpus"
        ]
    return [
        f"{node}: GPU {number} is free for Ray and {format_bytes(used)} of it are in use; end what runs there "
        "(`nvidia-smi` names it), or start Ray there without that GPU"
        for number, used in enumerate(found["used"])
        if used > TAKEN_BYTES
    ]


def free_gpus(node: Node) -> int:
    from ray._private.state import available_resources_per_node

    return int(available_resources_per_node().get(node.id, {}).get("GPU", 0))


def _ask(
    nodes: Iterable[Node],
    work: Callable[..., Any],
    arguments: Callable[[Node], tuple[Any, ...]],
    resources: Callable[[Node], dict[str, float]] = lambda node: {},
) -> tuple[dict[Node, Any], list[str]]:
    """What `work` returns on each node, all at once; and the nodes that did not answer, in words."""
    task = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(work)
    asked = {}
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node.id, soft=False)
        asked[node] = task.options(scheduling_strategy=there, **resources(node)).remote(*arguments(node))
    ready, _ = ray.wait(list(asked.values()), num_returns=len(asked), timeout=ANSWER_SECONDS) if asked else ((), ())
    answers, problems = {}, []
    for node, reference in asked.items():
        if reference not in ready:
            ray.cancel(reference, force=True)
            problems.append(
                f"{node}: no answer within {ANSWER_SECONDS:g} s; see whether its file system hangs, or take it out "
                "with `ray stop` there"
            )
            continue
        try:
            answers[node] = ray.get(reference)
        except RayError as error:
            problems.append(f"{node}: cannot be looked at, {root_reason(error)}; see its logs in /tmp/ray")
    return answers, problems


def _listed(nodes: Iterable[Node]) -> str:
    return " and ".join(str(node) for node in nodes)
