"""Several Ray nodes on one machine, each with an address of its own, for tests that add and kill them.

They have a process and a folder of their own: a test session may be connected to another Ray, and other Rays may run on
the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.support.left_behind import RAYS_OWN
from tests.support.paths import ROOT

QUICK = {
    # Ray's own settings notice a dead node after 15 s or more.
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "4",
}
SMALL = {"object_store_memory": 80 * 2**20}
OTHER_TORCH = "0.0.1"


class Nodes:
    """A head without CPUs, and the nodes that are added to it."""

    def __init__(self) -> None:
        # Ray's sockets lie in it, and their paths must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="nodes-", dir="/tmp"))
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        environment = {**os.environ, **QUICK, "RAY_TMPDIR": str(self.folder), "RAY_ADDRESS": "", "PYTHONPATH": path}
        self._log = self.folder / "log"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.ray_nodes"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            text=True,
        )
        self.address = self._hear()["address"]

    def __enter__(self) -> Nodes:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, again: str | None = None, has_other_torch: bool = False, cwd: Path | None = None, **node: Any) -> str:
        """Adds a node; returns its address. `again`: that of a killed node; `node`: arguments of Ray's `add_node`."""
        options = {"other": has_other_torch, "cwd": str(cwd or ROOT), "address": again}
        return self._ask("add", node={"num_cpus": 1, **node}, **options)["node"]

    def kill(self, node: str) -> None:
        """As if its machine were switched off."""
        self._ask("kill", node=node)

    def trains(self, node: str) -> bool:
        """Whether a training worker runs on the node."""
        return self._ask("trains", node=node)["trains"]

    def check(
        self,
        storage: str,
        inputs: tuple[str, ...] = (),
        free_bytes: Mapping[str, float] | None = None,
        checkpoints: tuple[str, ...] = (),
    ) -> str:
        """The message of `search.cluster.preflight.check_nodes`."""
        asked = {"storage": storage, "inputs": inputs, "free_bytes": free_bytes or {}, "checkpoints": checkpoints}
        return self._ask("check", **asked)["said"]

    def counts(self) -> dict[str, Any]:
        """How many actors and placement groups Ray has, and how many files its processes on the head have open."""
        return self._ask("counts")

    def workers(self, title: str) -> list[psutil.Process]:
        """Processes of all nodes whose title contains `title`."""
        return [each for each in psutil.Process(self._process.pid).children(recursive=True) if title in _title(each)]

    def switch_off(self) -> None:
        """Kills all nodes at once."""
        self._ask("switch_off")

    def _ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        self._process.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise AssertionError(f"the process of the nodes has ended:\n{self._log.read_text()[-3000:]}")


class _Server:
    """Carries out the commands of `Nodes` in the process of the nodes."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._nodes: dict[str, Any] = {}
        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "node_ip_address": "127.0.0.2",
                "include_dashboard": True,
                "dashboard_agent_listen_port": 0,
                "dashboard_port": _free_port(),
                **SMALL,
            },
        )
        self.address = self._cluster.address

    def add(self, node: dict[str, Any], other: bool, cwd: str, address: str | None) -> dict[str, Any]:
        address = address or f"127.0.0.{3 + len(self._nodes)}"
        path, here = os.environ["PYTHONPATH"], Path.cwd()
        if other:
            os.environ["PYTHONPATH"] = os.pathsep.join([str(_other_torch()), path])
        try:
            os.chdir(cwd)
            self._nodes[address] = self._cluster.add_node(node_ip_address=address, **SMALL, **node)
        finally:
            os.environ["PYTHONPATH"] = path
            os.chdir(here)
        return {"node": address}

    def kill(self, node: str) -> dict[str, Any]:
        self._cluster.remove_node(self._nodes[node], allow_graceful=False)
        return {}

    def trains(self, node: str) -> dict[str, Any]:
        (raylet,) = self._nodes[node].all_processes["raylet"]
        workers = psutil.Process(raylet.process.pid).children(recursive=True)
        return {"trains": any("RayTrainWorker" in _title(worker) for worker in workers)}

    def check(
        self, storage: str, inputs: list[str], free_bytes: dict[str, float], checkpoints: list[str]
    ) -> dict[str, Any]:
        import ray

        from search.cluster.preflight import NodeRequirements, check_nodes
        from spaces.errors import InputError

        said: list[str] = []
        ray.init(address=self.address, log_to_driver=False)
        try:
            check_nodes(NodeRequirements(storage, tuple(inputs), free_bytes, tuple(checkpoints)), said.append)
        except InputError as error:
            said.append(str(error))
        finally:
            ray.shutdown()
        return {"said": "\n".join(said)}

    def counts(self) -> dict[str, Any]:
        from ray.util.state import list_actors, list_placement_groups

        where = f"http://{self._cluster.webui_url}"
        actors = list_actors(address=where, limit=10_000, filters=[("state", "!=", "DEAD")])
        groups = list_placement_groups(address=where, limit=10_000)
        handles = {
            kind: sum(psutil.Process(each.process.pid).num_fds() for each in started)
            for kind, started in self._cluster.head_node.all_processes.items()
        }
        return {
            "actors": sum(each.class_name != RAYS_OWN for each in actors),
            "groups": sum(each.state != "REMOVED" for each in groups),
            "handles": handles,
        }

    def switch_off(self) -> dict[str, Any]:
        for node in self._cluster.list_all_nodes():
            node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
        return {}

    def close(self) -> None:
        for node in self._cluster.list_all_nodes():
            node.kill_all_processes(check_alive=False, allow_graceful=False)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _other_torch() -> Path:
    """A folder with the metadata of another version of torch, and no torch."""
    record = Path(os.environ["RAY_TMPDIR"]) / "other" / f"torch-{OTHER_TORCH}.dist-info"
    record.mkdir(parents=True, exist_ok=True)
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {OTHER_TORCH}\n")
    return record.parent


def main() -> None:
    server = _Server()
    print(json.dumps({"address": server.address}), flush=True)
    try:
        for line in sys.stdin:
            asked = json.loads(line)
            answer = getattr(server, asked.pop("command"))(**asked)
            print(json.dumps(answer), flush=True)
    finally:
        server.close()


if __name__ == "__main__":
    main()
