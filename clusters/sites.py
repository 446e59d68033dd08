"""Where a cluster stands: what its file says that the files of other clusters do not."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from search.planning.layout import MAX_SEATS
from search.planning.resources import RAY_BYTES
from spaces.errors import InputError

TRIAL_FUNCTION_MIB = 200
"""Resident memory of the light function that runs on the head for each trial: 196 MiB were measured."""
OBJECT_STORE_MIB = 1024
"""Of each node. Nothing large passes through Ray's object store, whose default is 30 % of the memory."""
UV = "0.13.8"
"""Version of the installer that fetches Python 3.11 where a machine has none."""


@dataclass(frozen=True)
class Machine:
    """One kind of machine that can be rented."""

    name: str
    """In the file, in Ray's words: its node type."""
    instance: str
    cpus: int
    gpus: int
    memory_gib: int
    card: str = ""
    image: str = ""
    """Where the id of the newest image of the operating system is looked up when the machine starts."""


# Amazon's own image of Ubuntu for machines without a GPU, and the one with NVIDIA's driver for those with one.
_LOOKED_UP = "resolve:ssm:/aws/service"
_UBUNTU = f"{_LOOKED_UP}/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id"
_UBUNTU_NVIDIA = f"{_LOOKED_UP}/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
HEAD = Machine("head", "m7i.2xlarge", cpus=8, gpus=0, memory_gib=32, image=_UBUNTU)
WORKERS = (
    Machine("l40s", "g6e.xlarge", cpus=4, gpus=1, memory_gib=32, card="L40S, 48 GB", image=_UBUNTU_NVIDIA),
    Machine("a10g", "g5.2xlarge", cpus=8, gpus=1, memory_gib=32, card="A10G, 24 GB", image=_UBUNTU_NVIDIA),
)


@dataclass(frozen=True)
class HeadMemory:
    """What the head's memory has to hold while `benches` benches are full. GiB."""

    benches: int
    seats: int = MAX_SEATS
    """Of one bench."""

    @property
    def trials(self) -> float:
        return self.benches * self.seats * TRIAL_FUNCTION_MIB / 1024

    @property
    def ray(self) -> float:
        return RAY_BYTES / 2**30 + OBJECT_STORE_MIB / 1024

    @property
    def total(self) -> float:
        return self.trials + self.ray


@dataclass(frozen=True)
class Aws:
    """Machines of Amazon EC2: a head, and spot machines with a GPU that come and go."""

    region: str = "us-west-2"
    workers: int = 8
    """At most; one bench on each."""

    def __post_init__(self) -> None:
        needed = HeadMemory(self.workers).total
        if needed > 0.8 * HEAD.memory_gib:
            raise InputError(
                f"{self.workers} workers: their {self.workers * MAX_SEATS} trials take {needed:.0f} GiB on the head, "
                f"and a {HEAD.instance} has {HEAD.memory_gib}; take fewer, or a larger head in clusters/sites.py"
            )


@dataclass(frozen=True)
class OnPrem:
    """Machines of one's own that take SSH connections."""

    head: str = "192.0.2.10"
    """Address in the network of the nodes; by default one that RFC 5737 keeps for documentation."""
    workers: tuple[str, ...] = ("192.0.2.11", "192.0.2.12")
    user: str = "ubuntu"
    """Who logs in, on every node."""
    key: str = "~/.ssh/id_ed25519"
    """Path of the private key, on the machine where `ray up` is typed."""

    @property
    def is_example(self) -> bool:
        return self.head == type(self).head

    def __post_init__(self) -> None:
        for address in (self.head, *self.workers):
            try:
                outside = ipaddress.ip_address(address).is_global
            except ValueError:
                raise InputError(f"{address}: not an IP address; name the node by its private one") from None
            if outside:
                raise InputError(f"{address}: an address of the open internet; name the node by its private one")
        if len({self.head, *self.workers}) != 1 + len(self.workers):
            raise InputError(f"{self.head} {' '.join(self.workers)}: a node is named twice; name each once")


@dataclass(frozen=True)
class Pods:
    """Pods of one kind of GPU."""

    name: str
    card: str
    """As NVIDIA's GPU feature discovery labels the node."""


@dataclass(frozen=True)
class KubeRay:
    """A Kubernetes with the KubeRay operator."""

    image: str = "registry.invalid/sweetspot:0.1.0"
    """Built from clusters/Dockerfile. RFC 2606 keeps .invalid from ever being found."""
    workers: int = 8
    """At most, of each kind."""
    kinds: tuple[Pods, ...] = (Pods("l40s", "NVIDIA-L40S"), Pods("a40", "NVIDIA-A40"))


def ray_version() -> str:
    """The Ray that constraints.txt pins; every node has to have the same."""
    lines = (Path(__file__).parent.parent / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("ray==") for line in lines if line.startswith("ray=="))
