"""How benches are laid out on a machine or a cluster."""

from __future__ import annotations

import math
from dataclasses import dataclass

from search.planning.execution_mode import ExecutionMode
from search.planning.resources import CPU_SHARE, CPU_THREADS, RAY_BYTES, TRIALS_TO_LEARN_FROM, Resources
from spaces.errors import InputError

MOST_SEATS = 8
"""Of a bench, unless more are asked for; beyond, a forward pass takes longer by as much as it serves more."""


@dataclass(frozen=True)
class BenchLayout:
    """What a bench gets, how many there are, and how many trials run at once on all of them."""

    at_once: int
    initial_benches: int
    """Benches that the machine holds as it is."""
    max_benches: int
    """Benches that may be open at once; more than are there where nodes can be added."""
    seats: int
    """Of one bench, at most."""
    force_seats: bool
    """Whether somebody asked for so many seats, whatever the memory seems to hold."""
    memory: float | None
    """Bytes for the seats of one bench; None for what its GPU has free."""
    has_gpu: bool
    workers: int
    """Training workers of one bench."""
    worker: dict[str, float]
    """Ray's resources of one training worker."""
    threads: int
    """Of torch, in one training worker."""
    wait_seconds: float = math.inf
    """Seconds that trials wait for a bench while none is open and Ray has no node for one."""

    @property
    def node_needed(self) -> str:
        """What a bench needs, in words."""
        kind, amount = ("GPU", self.workers) if self.has_gpu else ("CPU", self.worker["CPU"])
        return f"a node with {amount:g} {kind}{'' if amount == 1 else 's'} free"


def lay_out_benches(resources: Resources, mode: ExecutionMode, trials: int) -> BenchLayout:
    """One bench per GPU, or per so many GPUs as were asked for; one per node with a CPU where there is no GPU.

    Unless the seats are asked for, no more than a third of the trials run at once, so that the others are drawn knowing
    how some went; they are spread over the benches that there are, or may be by `--max-benches`. A bench on a node that
    an autoscaler adds comes on top, once those are full. Raises InputError for more GPUs per bench than there are.
    """
    width = mode.gpus_per_bench or 1
    max_gpus = max(resources.gpus, resources.max_gpus)
    if mode.gpus_per_bench and max_gpus < width and mode.max_benches is None:
        raise InputError(_too_wide(width, resources.gpus))
    has_gpu = max_gpus >= 1 or mode.gpus_per_bench is not None
    nodes = [node for node in resources.each_node if node.cpus >= 1] or list(resources.each_node)
    there = max(1, int(resources.gpus // width)) if has_gpu else len(nodes)
    most = mode.max_benches or max(there, int(max_gpus // width) if has_gpu else 1)
    there = min(there, most)
    learning = math.ceil(trials / TRIALS_TO_LEARN_FROM)
    seats = mode.seats or min(MOST_SEATS, math.ceil(learning / (mode.max_benches or there)))
    at_once = seats * most if mode.seats else min(learning, seats * most)
    if has_gpu:
        threads = max(1, int(resources.cpus_per_gpu))
        worker = {"GPU": 1.0, "CPU": min(1.0, 0.5 * resources.cpus_per_gpu)}
    else:
        threads = CPU_THREADS
        worker = {"CPU": round(CPU_SHARE * min(node.cpus for node in nodes), 2)}
    memory = None if has_gpu else max(0.0, min(node.memory for node in nodes) - RAY_BYTES)
    return BenchLayout(
        at_once, min(there, math.ceil(at_once / seats)), most, seats, mode.seats is not None, memory, has_gpu,
        width if has_gpu else 1, worker, threads,
    )  # fmt: skip


def _too_wide(width: int, gpus: float) -> str:
    found = f"found {int(gpus)} GPU{'' if gpus == 1 else 's'}"
    remedy = f"give at most --gpus-per-bench {int(gpus)}" if gpus >= 1 else "leave it out"
    return f"--gpus-per-bench {width}: {found}; {remedy}, or, where the cluster adds nodes, --max-benches with it"
