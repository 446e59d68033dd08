"""Checks storage, versions, data, GPUs and disks of every node of a cluster before the first trial."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.cluster import environment, node_probe
from search.cluster.copying import missing_checkpoint
from search.cluster.failure import root_reason
from search.cluster.node_probe import HUB_CACHE, RAY_FOLDER
from search.cluster.node_probe_transport import pickled_by_value
from search.cluster.nodes import Node, alive_nodes
from search.planning.disk import FULL_BYTES, format_bytes
from search.planning.plan import Plan
from spaces.errors import InputError
from spaces.storage_uri import join_uri

ANSWER_SECONDS = 120.0
"""For one inspection of a node; the first starts a Python process there."""
TAKEN_BYTES = 2e9
"""More than this in use on a GPU that Ray believes free: another program works there. The inspection takes 0.5 GB."""


@dataclass(frozen=True)
class NodeRequirements:
    """What every node must have."""

    storage: str
    """A folder or a URI that every node writes and reads."""
    inputs: tuple[str, ...]
    """Paths that have to exist."""
    free_bytes: Mapping[str, float]
    """By folder."""
    checkpoints: tuple[str, ...] = ()
    """Folders and hub ids of the model and the recogniser, which every node loads."""


def node_requirements(plan: Plan, model_bytes: float) -> NodeRequirements:
    """`model_bytes` of a model that every node has to download; 0 for one in a folder."""
    probe, named = plan.space.probe, list[Path]()
    if plan.storage is None:
        # Otherwise these are copied through storage.
        named += [source.path for source in plan.sources if source.path is not None]
        named += [Path(probe.lines)] if Path(probe.lines).is_absolute() else []
    free_bytes = {str(plan.run.path): FULL_BYTES, str(plan.cache): FULL_BYTES, RAY_FOLDER: FULL_BYTES}
    if model_bytes:
        free_bytes[HUB_CACHE] = model_bytes
    return NodeRequirements(
        plan.storage or str(plan.run.path),
        tuple(str(path) for path in named),
        free_bytes,
        tuple(name for name in (plan.model, probe.recogniser) if "/" in name),
    )


def check_nodes(required: NodeRequirements, say: Callable[[str], None]) -> None:
    """Inspects every node that is alive. Raises InputError with every problem, each with its node and remedy."""
    nodes = alive_nodes()
    with pickled_by_value():
        inspected, problems = _run_on_nodes(
            nodes, node_probe.inspect_node, lambda node: (required.inputs, required.free_bytes, required.checkpoints)
        )
        versions = environment.versions()
        for node, found in inspected.items():
            problems += [f"{node}: {each}" for each in environment.differences(found["versions"], versions)]
            problems += [
                f"{node}: {path} is not there; put it on storage that every node has at this path"
                for path in found["missing"]
            ]
            problems += [missing_checkpoint(node, name) for name in found["absent"]]
            problems += [
                f"{node}: {format_bytes(free)} free in {folder}, {format_bytes(needed)} needed; make room there"
                for folder, (free, needed) in found["full"].items()
            ]
        problems += _check_storage(tuple(inspected), required.storage)
        problems += _check_gpus(tuple(inspected))
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise InputError(f"the cluster is not ready, {len(problems)} to mend:\n{lines}")
    say(f"Nodes:  {len(nodes)} looked at: storage, versions, data, GPUs and disks are in order")


def _check_storage(nodes: tuple[Node, ...], storage: str) -> list[str]:
    folder = mark_folder(storage)
    written, problems = _run_on_nodes(nodes, node_probe.write_mark, lambda node: (folder, node.id))
    problems += [
        f"{node}: {storage} cannot be written ({error}); mount it there for the user that Ray runs as, or give --out a "
        "folder on storage that all nodes share"
        for node, error in written.items()
        if error is not None
    ]
    writers = {node.id: node for node, error in written.items() if error is None}
    unread, unanswered = _run_on_nodes(tuple(written), node_probe.unread_marks, lambda node: (folder, tuple(writers)))
    problems += unanswered
    problems += [
        f"{node}: what {_listed(writers[name] for name in names)} wrote to {storage} is not seen there; it must be one "
        "storage at one path on all nodes: mount it, or give --out a folder on it"
        for node, names in unread.items()
        if names
    ]
    # Where the folder is not shared, each node has one of its own.
    _run_on_nodes(tuple(writers.values()), node_probe.remove_marks, lambda node: (folder,))
    return problems


def mark_folder(storage: str) -> str:
    """A new folder for marks in this folder or at this URI, whose options stand behind its path."""
    name = f".nodes-{uuid.uuid4().hex[:8]}"
    return join_uri(storage, name) if "://" in storage else f"{storage}/{name}"


def _check_gpus(nodes: tuple[Node, ...]) -> list[str]:
    """Only GPUs that Ray believes free: Ray itself has given the others to its tasks."""
    free = {node: free_gpus(node) for node in nodes}
    with_gpus = tuple(node for node, count in free.items() if count)
    inspected, problems = _run_on_nodes(
        with_gpus, node_probe.inspect_gpus, lambda node: (), lambda node: {"num_gpus": free[node]}
    )
    for node, found in inspected.items():
        problems += gpu_problems(str(node), free[node], found)
    return problems


def gpu_problems(node: str, counted: int, found: Mapping[str, Any]) -> list[str]:
    """Problems of a node's GPUs. `counted`: free GPUs according to Ray; `found`: what `inspect_gpus` returned there."""
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


def _run_on_nodes(
    nodes: Iterable[Node],
    function: Callable[..., Any],
    arguments: Callable[[Node], tuple[Any, ...]],
    resources: Callable[[Node], dict[str, float]] = lambda node: {},
) -> tuple[dict[Node, Any], list[str]]:
    """Runs `function` on all nodes at once. Returns its results, and a message for every node that did not answer."""
    task = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(function)
    references = {}
    for node in nodes:
        on_node = NodeAffinitySchedulingStrategy(node.id, soft=False)
        references[node] = task.options(scheduling_strategy=on_node, **resources(node)).remote(*arguments(node))
    pending = list(references.values())
    ready = ray.wait(pending, num_returns=len(pending), timeout=ANSWER_SECONDS)[0] if pending else []
    answers, problems = {}, []
    for node, reference in references.items():
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
