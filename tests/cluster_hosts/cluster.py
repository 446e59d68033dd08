"""A cluster on hosts of namespaces, used from a laptop: `ray up`, a search, `ray down`."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clusters.make import onprem_file
from clusters.sites import OnPrem
from results.run.ledger import read_ledger
from tests.cluster_hosts.host import ROOT, Host
from tests.support.s3_server import ENVIRONMENT, SERVING

RAY, PYTHON = ROOT / ".venv/bin/ray", ROOT / ".venv/bin/python"
S3_PORT = 9000
START_SECONDS, SEARCH_SECONDS = 60.0, 1800.0
ALIVE = (
    'python -c \'import ray; ray.init("auto", log_to_driver=False, logging_level=50); '
    'print("alive", sum(node["Alive"] for node in ray.nodes()))\''
)


@dataclass(frozen=True)
class Cluster:
    """A laptop, and the head and the worker of an on-premises cluster file. `bucket` is the switch of their network; it
    also serves S3 to a cluster without a common folder."""

    bucket: Host
    laptop: Host
    head: Host
    worker: Host
    file: Path

    @classmethod
    def of(cls, hosts: dict[str, Host], site: Path) -> Cluster:
        """Writes the file of these hosts to the site."""
        head, worker = hosts["head"], hosts["worker"]
        file = site / "cluster.yaml"
        file.write_text(onprem_file(OnPrem(head.address, (worker.address,), "root", str(site / "key"))))
        return cls(hosts["bucket"], hosts["laptop"], head, worker, file)

    def serve_bucket(self) -> None:
        """Starts an S3 server. Only the head and the worker get its keys."""
        log = self.bucket.folder / "s3.log"
        with log.open("w") as file:
            line = f"cd {ROOT} && exec {PYTHON} -m tests.support.s3_server {self.bucket.address} {S3_PORT}"
            # It ends with its host.
            subprocess.Popen(self.bucket.command(line), stdout=file, stderr=file, stdin=subprocess.DEVNULL)
        wait_until("the S3 server", lambda: SERVING in log.read_text(), START_SECONDS)
        keys = {**ENVIRONMENT, "AWS_ENDPOINT_URL": f"http://{self.bucket.address}:{S3_PORT}"}
        for host in (self.head, self.worker):
            with (host.folder / "home/.bashrc").open("a") as profile:
                profile.writelines(f"export {name}={value}\n" for name, value in keys.items())

    def up(self) -> None:
        self._ray(f"up --yes {self.file}", "up.log")

    def down(self) -> None:
        self._ray(f"down --yes {self.file}", "down.log")

    def alive(self) -> int:
        """Nodes that Ray's head believes to be alive."""
        return int(self.head.run(ALIVE, timeout=120).split("alive ")[1])

    def search_on_head(self, options: str, log: Path) -> subprocess.Popen:
        """Starts a search on the head, which ends when the laptop loses the connection."""
        line = f"cd ~/sweetspot && python search/run.py {options}"
        return self._started(f'{RAY} exec {self.file} "{line}"', log)

    def search_from_laptop(self, options: str, log: Path) -> subprocess.Popen:
        """Starts a search on the laptop that runs on the cluster."""
        return self._started(f"{PYTHON} search/run.py --cluster {self.file} {options}", log)

    def trains_on_both(self, ledger: Path) -> bool:
        """Whether trials run on both nodes: each bench has one seat, and as many trials run as there are benches."""
        benches = sum(
            any("RayTrainWorker" in command for command in host.processes().values())
            for host in (self.head, self.worker)
        )
        if benches < 2 or not ledger.is_file():
            return False
        history = read_ledger(ledger)
        return bool(history.outcomes) and len(history.drawn) - len(history.outcomes) == benches

    def _started(self, line: str, log: Path) -> subprocess.Popen:
        with log.open("w") as file:
            return subprocess.Popen(self._launcher(line), stdout=file, stderr=file, stdin=subprocess.DEVNULL)

    def _launcher(self, line: str) -> list[str]:
        """The command that runs a line on the laptop, in the root of the checkout, with temporary files of its own."""
        return self.laptop.command(f"cd {ROOT} && export TMPDIR={self.laptop.folder}/home && exec {line}")

    def _ray(self, line: str, log: str) -> None:
        path = self.laptop.folder / log
        with path.open("w") as file:
            done = subprocess.run(
                self._launcher(f"{RAY} {line}"),
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                check=False,
                timeout=900,
            )
        if done.returncode:
            raise AssertionError(f"ray {line} failed: {path.read_text()[-4000:]}")


def wait_until(what: str, is_so: Callable[[], bool], seconds: float) -> None:
    """Raises AssertionError where `is_so` is not true in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(2)


def assert_each_ended_once(ledger: Path, trials: int) -> None:
    """At least so many trials have ended, all that were drawn, and none twice."""
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    drawn = [line["trial"] for line in lines if line["entry"] == "trial_drawn"]
    ended = [line["outcome"]["trial"] for line in lines if line["entry"] == "trial_ended"]
    assert len(ended) >= trials and sorted(ended) == sorted(set(drawn)), f"drawn: {drawn}, ended: {ended}"


def say(what: str) -> None:
    print(f"  {what}", flush=True)
