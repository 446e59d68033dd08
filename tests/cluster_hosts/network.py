"""Hosts in one network, whose cables can be pulled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster_hosts.host import UNSHARE, Host, start_host

TOOLS = {"ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "ssh": "openssh-client"} | {
    "ssh-keygen": "openssh-client", "sshd": "openssh-server", "rsync": "rsync",
}  # fmt: skip
"""Programs that the test needs, and their Debian packages."""
SUBNET = "10.77.0"


def why_not_here() -> str | None:
    """Why this machine cannot make hosts; None where it can."""
    if not sys.platform.startswith("linux"):
        return f"it needs Linux, whose namespaces make the hosts; this is {sys.platform}"
    if os.geteuid() != 0:
        return "it needs root, to make namespaces: sudo make cluster-test"
    lacking = sorted({package for tool, package in TOOLS.items() if _tool(tool) is None})
    if lacking:
        return f"it needs {', '.join(lacking)}: apt-get install {' '.join(lacking)}"
    tried = subprocess.run(
        [*UNSHARE, "ip", "link", "add", "switch", "type", "bridge"], capture_output=True, text=True, check=False
    )
    return None if tried.returncode == 0 else f"the kernel refuses namespaces or bridges: {tried.stderr.strip()}"


def _tool(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


@contextmanager
def network(names: Sequence[str], site: Path) -> Iterator[dict[str, Host]]:
    """Yields hosts by name, in one network whose switch is the first one; all are gone afterwards.

    `site` is a new folder. Every host has an address, a default route and the key site/key, which opens all of them.
    """
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", site / "key"], check=True)
    hosts: dict[str, Host] = {}
    try:
        for number, name in enumerate(names, start=1):
            hosts[name] = start_host(name, f"{SUBNET}.{number}", site, _tool("sshd"))
        switch, *others = hosts.values()
        _inside(switch, "ip link add switch type bridge")
        _inside(switch, f"ip address add {switch.address}/24 dev switch")
        _inside(switch, "ip link set switch up")
        for host in others:
            _inside(switch, f"ip link add {host.name} type veth peer name eth0 netns {host.first}")
            _inside(switch, f"ip link set {host.name} master switch up")
            _inside(host, f"ip address add {host.address}/24 dev eth0")
            _inside(host, "ip link set eth0 up")
            _inside(host, f"ip route add default via {switch.address}")
        yield hosts
    finally:
        for host in hosts.values():
            host.switch_off()


def cut_off(switch: Host, host: Host) -> None:
    """Pulls a host's cable; its processes keep running."""
    _inside(switch, f"ip link set {host.name} down")


def plug_in(switch: Host, host: Host) -> None:
    _inside(switch, f"ip link set {host.name} up")


def _inside(host: Host, line: str) -> None:
    subprocess.run(["nsenter", f"--target={host.first}", "--net", *line.split()], check=True)
