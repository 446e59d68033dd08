"""What Ray has to give, and how trials share it when each has a process of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

RAY_BYTES = 1.5e9
"""Ray itself, its dashboard and the driver: 1.4 GB seen, as the sum of proportional set sizes."""
TRIAL_BYTES = 2.0e9
"""One isolated trial of the demo voice: 1.9 GB seen, of which 0.7 GB are its worker's and the rest Ray Train's."""
CPU_THREADS = 1
"""Only small models are trained on a CPU. Their threads wait for one another at every small product: with another
program on one of two cores, a trial with two threads was seen to take twenty times as long as with one."""
CPU_SHARE = 0.9
"""Of the CPUs, for training; the rest is for Ray and for the light functions that Tune runs per trial."""
TRIALS_TO_LEARN_FROM = 3
"""No more than a third of the trials run at once: the others are drawn knowing how some went."""


@dataclass(frozen=True)
class Resources:
    """Of the machine, or of all nodes of a cluster."""

    cpus: float
    gpus: float
    memory: float
    """Bytes, those of GPUs left out."""
    nodes: tuple[Resources, ...] = ()
    """Of each node by itself, where there are several."""
    max_gpus: float = 0.0
    """That there may be once an autoscaler has added nodes."""

    @property
    def each_node(self) -> tuple[Resources, ...]:
        """One for every node."""
        return self.nodes or (self,)

    @property
    def cpus_per_gpu(self) -> float:
        """Where they are scarcest, of the nodes that have GPUs."""
        shares = [node.cpus / node.gpus for node in self.each_node if node.gpus >= 1]
        return min(shares, default=self.cpus)


@dataclass(frozen=True)
class TrialResources:
    """What one isolated trial gets, and how many get it at once."""

    at_once: int
    has_gpu: bool
    worker: dict[str, float]
    """Ray's resources of one training worker."""
    threads: int
    """Of torch, in one training worker."""


def share_resources(resources: Resources, trials: int) -> TrialResources:
    """Shares CPUs, GPUs and memory among the isolated trials of a search.

    One GPU each where there are some, or may come to be. Otherwise as many as the CPUs and the memory hold.
    """
    learning = math.ceil(trials / TRIALS_TO_LEARN_FROM)
    if resources.gpus >= 1:
        at_once = max(int(resources.gpus), min(int(resources.max_gpus), learning))
        cpus = resources.cpus_per_gpu
        return TrialResources(at_once, True, {"GPU": 1, "CPU": min(1.0, 0.5 * cpus)}, max(1, int(cpus)))
    fitting = max(1, int((resources.memory - RAY_BYTES) // TRIAL_BYTES))
    at_once = max(1, min(sum(int(node.cpus) for node in resources.each_node), fitting, learning))
    # A share of all CPUs may be more than any one of several nodes has left.
    share = 1.0 if resources.nodes else resources.cpus / at_once
    return TrialResources(at_once, False, {"CPU": round(CPU_SHARE * share, 2)}, CPU_THREADS)
