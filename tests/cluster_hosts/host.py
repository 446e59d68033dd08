"""One host: namespaces of its own for network, processes, mounts and names, and an SSH server as its first process."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT

START_SECONDS = 20.0
PROFILE = """\
# The environment is the one that this test runs in: its imports are led to the copy that `ray up` brought. Jobs bring
# their own, and Ray's workers read this too: bash takes what an SSH server has started for a login.
export PYTHONPATH="${PYTHONPATH:-$HOME/sweetspot}"
"""
UNSHARE = (
    "nice", "-n", "19",
    "unshare", "--net", "--pid", "--mount", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc",
)  # fmt: skip
"""Starts the first process of a host, at the lowest priority."""
SSHD = """\
HostKey {folder}/host_key
AuthorizedKeysFile {site}/key.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
"""
INIT = """\
set -e
hostname {name}
ip link set lo up
mount --bind {folder}/home {site}/home
mount --bind {folder}/ray /tmp/ray
mount --bind {folder}/passwd /etc/passwd
mount --bind {folder}/hosts /etc/hosts
mount -t tmpfs -o size=2g,mode=1777 tmpfs /dev/shm
# The environment is there already and stays as it is; a fresh stamp says that nothing has to be installed.
mount --bind {root}/.venv {site}/home/sweetspot/.venv
mount -o remount,ro,bind {site}/home/sweetspot/.venv
mount --bind {folder}/installed {site}/home/sweetspot/.venv/installed
touch {folder}/up
exec {sshd} -D -e -f {folder}/sshd_config
"""


@dataclass(frozen=True)
class Host:
    """A running host. Its folder is its disk: home, Ray's files, logs."""

    name: str
    address: str
    folder: Path
    process: subprocess.Popen
    first: int
    """Id of its first process outside its namespace."""

    def command(self, line: str) -> list[str]:
        """The command that runs a line of bash on the host, as after a login."""
        enter = ["nsenter", f"--target={self.first}", "--net", "--pid", "--mount", "--uts", "--ipc"]
        home = f"HOME={self.folder.parent / 'home'}"
        return [*enter, "env", "-i", home, f"PATH={os.environ['PATH']}", "TERM=dumb", "bash", "-ic", line]

    def run(self, line: str, timeout: float = 60.0) -> str:
        """Runs a line of bash; returns its standard output. Raises subprocess.CalledProcessError when it fails."""
        done = subprocess.run(
            self.command(line), capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=True
        )
        return done.stdout

    def processes(self) -> dict[int, str]:
        """Command lines of all but the first process, by process id outside the namespace."""
        mine, found = os.readlink(f"/proc/{self.first}/ns/pid"), {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.readlink(folder / "ns/pid") == mine and int(folder.name) != self.first:
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ").strip()
        # A process without a command line is a zombie.
        return {pid: command for pid, command in found.items() if command}

    def switch_off(self) -> None:
        """Kills its first process, and with it all others."""
        with suppress(ProcessLookupError):
            os.kill(self.first, signal.SIGKILL)
        self.process.wait(timeout=START_SECONDS)


def start_host(name: str, address: str, site: Path, sshd: str) -> Host:
    """Starts a host without a network. `site` holds its SSH key and the mount point of all homes."""
    folder = site / name
    for part in ("home/sweetspot/.venv", "home/.ssh", "ray"):
        (folder / part).mkdir(parents=True)
    for place in (site / "home", Path("/tmp/ray"), Path("/run/sshd")):
        place.mkdir(parents=True, exist_ok=True)
    (folder / "home/.bashrc").write_text(PROFILE)
    (folder / "installed").touch()
    (folder / "passwd").write_text(_passwd(site / "home"))
    # As on many systems, the host's own name resolves to an address that no other host can reach.
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {name}\n")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host_key"], check=True)
    (folder / "sshd_config").write_text(SSHD.format(folder=folder, site=site))
    init = INIT.format(name=name, folder=folder, site=site, root=shlex.quote(str(ROOT)), sshd=sshd)
    (folder / "init").write_text(init)
    with (folder / "sshd.log").open("w") as log:
        process = subprocess.Popen(
            [*UNSHARE, "bash", folder / "init"], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    deadline = time.monotonic() + START_SECONDS
    while not (folder / "up").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"host {name} did not start: {(folder / 'sshd.log').read_text()}")
        time.sleep(0.05)
    (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return Host(name, address, folder, process, int(first))


def _passwd(home: Path) -> str:
    """The system's users, with root's home at the mount point."""
    others = [line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith("root:")]
    return "\n".join([f"root:x:0:0:root:{home}:/bin/bash", *others, ""])
