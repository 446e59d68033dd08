"""What Ray has to give, and how isolated trials share it."""

from __future__ import annotations

import math
from dataclasses import dataclass

RAY_BYTES = 1.5e9
"""Ray itself, its dashboard and the driver: 1.4 GB measured, as the sum of proportional set sizes."""
TRIAL_BYTES = 2.0e9
"""One isolated trial of the demo voice: 1.9 GB measured, 0.7 GB of it in its worker and the rest in Ray Train."""
CPU_THREADS = 1
"""Only small models are trained on a CPU. Their threads wait for one another at every small product: with another
program on one of two cores, a trial with two threads took twenty times as long as with one."""
CPU_SHARE = 0.9
"""Share of the CPUs for training; the rest is for Ray and for the light function that Tune runs for each trial."""
LEARNING_ROUNDS = 3
"""At most a third of the trials run at once, so that later draws learn from earlier trials."""


@dataclass(frozen=True)
class Resources:
    """Of this machine, or of all nodes of a cluster together."""

    cpus: float
    gpus: float
    memory: float
    """Bytes of main memory."""
    nodes: tuple[Resources, ...] = ()
    """Of each node, if there are several."""
    max_gpus: float = 0.0
    """GPUs that the cluster may have after its autoscaler has added nodes."""

    @property
    def each_node(self) -> tuple[Resources, ...]:
        return self.nodes or (self,)

    @property
    def cpus_per_gpu(self) -> float:
        """On the node with the fewest CPUs per GPU."""
        shares = [node.cpus / node.gpus for node in self.each_node if node.gpus >= 1]
        return min(shares, default=self.cpus)


@dataclass(frozen=True)
class TrialResources:
    """What one isolated trial gets, and how many trials get it at once."""

    at_once: int
    has_gpu: bool
    worker: dict[str, float]
    """Ray's resources for one training worker."""
    threads: int
    """Threads of torch in one training worker."""


def share_resources(resources: Resources, trials: int) -> TrialResources:
    """Shares CPUs, GPUs and memory among the isolated trials of a search.

    Each trial gets one GPU if there are GPUs. Otherwise as many trials run as the CPUs and the memory hold.
    """
    learning = math.ceil(trials / LEARNING_ROUNDS)
    if resources.gpus >= 1:
        at_once = max(int(resources.gpus), min(int(resources.max_gpus), learning))
        cpus = resources.cpus_per_gpu
        return TrialResources(at_once, True, {"GPU": 1, "CPU": min(1.0, 0.5 * cpus)}, max(1, int(cpus)))
    in_memory = max(1, int((resources.memory - RAY_BYTES) // TRIAL_BYTES))
    at_once = max(1, min(sum(int(node.cpus) for node in resources.each_node), in_memory, learning))
    # A share of all CPUs may be more than any single node has left.
    share = 1.0 if resources.nodes else resources.cpus / at_once
    return TrialResources(at_once, False, {"CPU": round(CPU_SHARE * share, 2)}, CPU_THREADS)
