"""The kinds of clusters, and what differs between their files."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from search.planning.layout import MAX_SEATS
from search.planning.resources import RAY_BYTES
from spaces.errors import InputError

TRIAL_FUNCTION_MIB = 200
"""Resident memory of the function that runs on the head for each trial; 196 MiB measured."""
OBJECT_STORE_MIB = 1024
"""Size of Ray's object store on each node. Nothing large passes through it; Ray's default is 30 % of the memory."""
UV = "0.13.8"
"""Version of the installer that fetches Python 3.11 if a machine has none."""


@dataclass(frozen=True)
class Machine:
    """A type of machine that can be rented."""

    name: str
    """The node type in the cluster file."""
    instance: str
    cpus: int
    gpus: int
    memory_gib: int
    gpu_name: str = ""
    image: str = ""
    """Parameter that resolves to the id of the newest system image when the machine starts."""


# Amazon's Ubuntu image for machines without a GPU, and the one with NVIDIA's driver for machines with one.
_LOOKED_UP = "resolve:ssm:/aws/service"
_UBUNTU = f"{_LOOKED_UP}/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id"
_UBUNTU_NVIDIA = f"{_LOOKED_UP}/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
HEAD = Machine("head", "m7i.2xlarge", cpus=8, gpus=0, memory_gib=32, image=_UBUNTU)
WORKERS = (
    Machine("l40s", "g6e.xlarge", cpus=4, gpus=1, memory_gib=32, gpu_name="L40S, 48 GB", image=_UBUNTU_NVIDIA),
    Machine("a10g", "g5.2xlarge", cpus=8, gpus=1, memory_gib=32, gpu_name="A10G, 24 GB", image=_UBUNTU_NVIDIA),
)


@dataclass(frozen=True)
class HeadMemory:
    """The memory, in GiB, that the head needs while `benches` benches are full."""

    benches: int
    seats: int = MAX_SEATS
    """Per bench."""

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
    """Machines of Amazon EC2: a head, and spot machines with GPUs that are added and removed as needed."""

    region: str = "us-west-2"
    workers: int = 8
    """At most; each holds one bench."""

    def __post_init__(self) -> None:
        needed = HeadMemory(self.workers).total
        if needed > 0.8 * HEAD.memory_gib:
            raise InputError(
                f"{self.workers} workers: their {self.workers * MAX_SEATS} trials take {needed:.0f} GiB on the head, "
                f"and a {HEAD.instance} has {HEAD.memory_gib}; use fewer, or a larger head in clusters/sites.py"
            )


@dataclass(frozen=True)
class OnPrem:
    """Your own machines, reached over SSH."""

    head: str = "192.0.2.10"
    """Private address of the head; the default is one that RFC 5737 reserves for documentation."""
    workers: tuple[str, ...] = ("192.0.2.11", "192.0.2.12")
    user: str = "ubuntu"
    """User that logs in on every node."""
    key: str = "~/.ssh/id_ed25519"
    """Path of the private key, on the machine that runs `ray up`."""

    @property
    def is_example(self) -> bool:
        return self.head == type(self).head

    def __post_init__(self) -> None:
        for address in (self.head, *self.workers):
            try:
                is_public = ipaddress.ip_address(address).is_global
            except ValueError:
                raise InputError(f"{address}: not an IP address; give the private IP address of the node") from None
            if is_public:
                raise InputError(f"{address}: a public IP address; give the private IP address of the node")
        if len({self.head, *self.workers}) != 1 + len(self.workers):
            raise InputError(f"{self.head} {' '.join(self.workers)}: an address is given twice; give each node once")


@dataclass(frozen=True)
class Pods:
    """Worker pods with one kind of GPU."""

    name: str
    gpu_name: str
    """The label that NVIDIA's GPU feature discovery gives the node."""


@dataclass(frozen=True)
class KubeRay:
    """A Kubernetes cluster with the KubeRay operator."""

    image: str = "registry.invalid/sweetspot:0.1.0"
    """Built from clusters/Dockerfile. The default cannot be pulled: RFC 2606 reserves the domain .invalid."""
    workers: int = 8
    """At most, of each kind."""
    kinds: tuple[Pods, ...] = (Pods("l40s", "NVIDIA-L40S"), Pods("a40", "NVIDIA-A40"))


def ray_version() -> str:
    """The version of Ray in constraints.txt; all nodes must have the same."""
    lines = (Path(__file__).parent.parent / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("ray==") for line in lines if line.startswith("ray=="))
