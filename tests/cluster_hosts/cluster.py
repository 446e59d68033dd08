"""A cluster on hosts of namespaces, as somebody with a laptop has it: `ray up`, a search, `ray down`."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clusters.make import onprem_file
from clusters.sites import OnPrem
from tests.cluster_hosts.host import ROOT, Host

RAY = ROOT / ".venv/bin/ray"
ALIVE = (
    'python -c \'import ray; ray.init("auto", log_to_driver=False, logging_level=50); '
    'print("alive", sum(node["Alive"] for node in ray.nodes()))\''
)


@dataclass(frozen=True)
class Cluster:
    """What the on-premises file makes of a laptop, a head and one worker."""

    laptop: Host
    head: Host
    worker: Host
    file: Path

    @classmethod
    def of(cls, hosts: dict[str, Host], site: Path) -> Cluster:
        """Writes the file of these hosts to the site."""
        laptop, head, worker = hosts["laptop"], hosts["head"], hosts["worker"]
        file = site / "cluster.yaml"
        file.write_text(onprem_file(OnPrem(head.address, (worker.address,), "root", str(site / "key"))))
        return cls(laptop, head, worker, file)

    def up(self) -> None:
        self._ray(f"up --yes {self.file}", "up.log")

    def down(self) -> None:
        self._ray(f"down --yes {self.file}", "down.log")

    def alive(self) -> int:
        """Nodes that Ray's head believes to be alive."""
        return int(self.head.run(ALIVE, timeout=120).split("alive ")[1])

    def search(self, options: str) -> subprocess.Popen:
        """Starts a search from the laptop; what it says goes to search.log."""
        line = f"cd ~/sweetspot && python search/run.py {options}"
        command = self._launcher(f'exec {self.file} "{line}"')
        with (self.laptop.folder / "search.log").open("w") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _launcher(self, line: str) -> list[str]:
        """What runs Ray's command line on the laptop, in the root of the checkout; what it notes stays there."""
        return self.laptop.command(f"cd {ROOT} && export TMPDIR={self.laptop.folder}/home && exec {RAY} {line}")

    def _ray(self, line: str, log: str) -> None:
        path = self.laptop.folder / log
        with path.open("w") as file:
            done = subprocess.run(
                self._launcher(line), stdout=file, stderr=file, stdin=subprocess.DEVNULL, check=False, timeout=900
            )
        if done.returncode:
            raise AssertionError(f"ray {line} failed: {path.read_text()[-4000:]}")


def wait_until(what: str, is_so: Callable[[], bool], seconds: float) -> None:
    """Raises AssertionError where it is not so in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(2)
