"""How many benches a machine or a cluster holds, and what each of them gets."""

import math
from dataclasses import dataclass

from search.planning.execution_mode import ExecutionMode
from search.planning.resources import CPU_SHARE, CPU_THREADS, LEARNING_ROUNDS, RAY_BYTES, Resources
from spaces.errors import InputError

MAX_SEATS = 8
"""Per bench, unless more are asked for: beyond this, a forward pass takes longer in proportion to its seats."""


@dataclass(frozen=True)
class BenchLayout:
    """The number of benches, and the resources of each."""

    at_once: int
    """Trials that run at once, on all benches together."""
    initial_benches: int
    """Benches that the nodes hold now."""
    max_benches: int
    """Benches that may be open at once; more than `initial_benches` if nodes can be added."""
    seats: int
    """Of one bench, at most."""
    force_seats: bool
    """Whether `--seats` asked for this number, so that the memory estimate does not lower it."""
    memory: float | None
    """Bytes for the seats of one bench; None for what its GPU has free."""
    has_gpu: bool
    workers: int
    """Training workers of one bench."""
    worker: dict[str, float]
    """Ray's resources for one training worker."""
    threads: int
    """Threads of torch in one training worker."""
    wait_seconds: float = math.inf
    """How long trials wait for a bench while none is open and Ray has no node for one."""

    @property
    def node_needed(self) -> str:
        """What a bench needs: `a node with 1 GPU free`."""
        kind, amount = ("GPU", self.workers) if self.has_gpu else ("CPU", self.worker["CPU"])
        return f"a node with {amount:g} {kind}{'' if amount == 1 else 's'} free"


def lay_out_benches(resources: Resources, mode: ExecutionMode, trials: int) -> BenchLayout:
    """One bench per GPU, or per `--gpus-per-bench` GPUs; without GPUs, one per node with a CPU.

    Unless `--seats` is given, at most a third of the trials run at once, so that later draws learn from earlier trials;
    they are spread over the benches that there are, or over `--max-benches`. A bench on a node that an autoscaler adds
    starts when those are full. Raises InputError if there are fewer GPUs than one bench needs.
    """
    width = mode.gpus_per_bench or 1
    max_gpus = max(resources.gpus, resources.max_gpus)
    if mode.gpus_per_bench and max_gpus < width and mode.max_benches is None:
        raise InputError(_too_few_gpus(width, resources.gpus))
    has_gpu = max_gpus >= 1 or mode.gpus_per_bench is not None
    nodes = [node for node in resources.each_node if node.cpus >= 1] or list(resources.each_node)
    present = max(1, int(resources.gpus // width)) if has_gpu else len(nodes)
    max_benches = mode.max_benches or max(present, int(max_gpus // width) if has_gpu else 1)
    present = min(present, max_benches)
    learning = math.ceil(trials / LEARNING_ROUNDS)
    seats = mode.seats or min(MAX_SEATS, math.ceil(learning / (mode.max_benches or present)))
    at_once = seats * max_benches if mode.seats else min(learning, seats * max_benches)
    if has_gpu:
        threads = max(1, int(resources.cpus_per_gpu))
        worker = {"GPU": 1.0, "CPU": min(1.0, 0.5 * resources.cpus_per_gpu)}
    else:
        threads = CPU_THREADS
        worker = {"CPU": round(CPU_SHARE * min(node.cpus for node in nodes), 2)}
    return BenchLayout(
        at_once=at_once,
        initial_benches=min(present, math.ceil(at_once / seats)),
        max_benches=max_benches,
        seats=seats,
        force_seats=mode.seats is not None,
        memory=None if has_gpu else max(0.0, min(node.memory for node in nodes) - RAY_BYTES),
        has_gpu=has_gpu,
        workers=width if has_gpu else 1,
        worker=worker,
        threads=threads,
    )


def _too_few_gpus(width: int, gpus: float) -> str:
    found = f"found {int(gpus)} GPU{'' if gpus == 1 else 's'}"
    remedy = f"give at most --gpus-per-bench {int(gpus)}" if gpus >= 1 else "leave it out"
    return f"--gpus-per-bench {width}: {found}; {remedy}, or add --max-benches if the cluster can add nodes"
