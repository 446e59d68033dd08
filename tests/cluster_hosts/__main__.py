"""Does on hosts of namespaces what docs/cluster.md says, and cuts one of them off in mid-search.

    python -m tests.cluster_hosts        as root, on Linux; some ten minutes

Exit codes: 0 all as it should be, 1 something was not, 2 this machine cannot make such hosts.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from results.ledger import read_ledger
from tests.cluster_hosts.cluster import Cluster, wait_until
from tests.cluster_hosts.network import cut_off, network, plug_in, why_not_here

TRIALS = 6
SEARCH_SECONDS = 1800.0
NOTHING_ACCEPTED = 3
JOIN_SECONDS = 300.0
LEAVE_SECONDS = 240.0
"""A raylet ends a minute after it last heard from the head, and its agents a minute after that."""

GROUP = (
    "python -c 'import torch, torch.distributed as group; "
    'group.init_process_group("gloo", init_method="tcp://{address}:29500", rank={rank}, world_size=2); '
    'number = torch.ones(1); group.all_reduce(number); print("sum", int(number))\''
)


def main() -> int:
    lacking = why_not_here()
    if lacking:
        print(f"cluster-test cannot run here: {lacking}", file=sys.stderr)
        return 2
    # Beside /tmp, which is small on many systems, and with short names: sockets take a hundred characters at most.
    site = Path(tempfile.mkdtemp(prefix="sweetspot-", dir="/var/tmp"))
    try:
        with network(("laptop", "head", "worker"), site) as hosts:
            _try(Cluster.of(hosts, site), site / "shared")
    except (AssertionError, RuntimeError, subprocess.SubprocessError):
        traceback.print_exc()
        print(f"the hosts' folders are left in {site}", file=sys.stderr)
        return 1
    shutil.rmtree(site)
    return 0


def _try(cluster: Cluster, shared: Path) -> None:
    cluster.up()
    _say("ray up: the head has started")
    wait_until("two nodes", lambda: cluster.alive() == 2, JOIN_SECONDS)
    _say("the worker has joined")
    _hold_the_token_to_its_place(cluster)
    _say("the token is on both nodes and nowhere else; without it Ray answers nobody, and the dashboard is private")
    _reach_across(cluster)
    _say("a group of torch workers reaches from one node to the other")
    run = shared / "run"
    search = cluster.search(f"--space demo --trials {TRIALS} --out {run}")
    wait_until("trials on both nodes", lambda: _is_under_way(cluster, run), SEARCH_SECONDS)
    cut_off(cluster.laptop, cluster.worker)
    _say("in mid-search the worker was cut off")
    code = search.wait(timeout=SEARCH_SECONDS)
    said = (cluster.laptop.folder / "search.log").read_text()
    assert code in (0, NOTHING_ACCEPTED), f"the search ended with {code}: {said[-4000:]}"
    lines = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    drawn = [line["trial"] for line in lines if line["entry"] == "trial_drawn"]
    ended = [line["outcome"]["trial"] for line in lines if line["entry"] == "trial_ended"]
    assert len(ended) >= TRIALS and sorted(ended) == sorted(set(drawn)), f"drawn: {drawn}, ended: {ended}"
    _say(f"the search went on and ended; each of its {len(ended)} trials ended once")
    plug_in(cluster.laptop, cluster.worker)
    wait_until("the worker back", lambda: cluster.alive() == 2, JOIN_SECONDS)
    _say("the worker was plugged in and has joined again")
    cluster.down()
    for host in (cluster.head, cluster.worker):
        started = time.monotonic()
        while left := host.processes():
            assert time.monotonic() - started < LEAVE_SECONDS, f"left on the {host.name}: {list(left.values())}"
            time.sleep(2)
    _say("ray down: no process is left on the head or the worker")


def _hold_the_token_to_its_place(cluster: Cluster) -> None:
    tokens = {host.run("cat ~/.ray/auth_token").strip() for host in (cluster.head, cluster.worker)}
    assert len(tokens) == 1, "the nodes have different tokens"
    (token,) = tokens
    for place in (cluster.file, *cluster.laptop.folder.glob("*.log")):
        assert token not in place.read_text(), f"{place} tells the token"
    mode = cluster.worker.run("stat -c %a ~/.ray/auth_token").strip()
    assert mode == "600", f"the token's file has mode {mode}"
    address = cluster.head.address
    asked = f"ray status --address {address}:6379"
    assert "Active" in cluster.worker.run(asked), "Ray does not answer with the token"
    for what, line in {
        "Ray answers without a token": f"HOME=/nowhere RAY_AUTH_MODE=disabled timeout 30 {asked}",
        "the dashboard can be reached from another host": f"timeout 5 bash -c '</dev/tcp/{address}/8265'",
    }.items():
        done = subprocess.run(cluster.worker.command(line), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode != 0, f"{what}: {done.stdout}"


def _reach_across(cluster: Cluster) -> None:
    """Sums a number over both nodes with Gloo, although each node's name stands for its loopback there."""
    lines = [GROUP.format(address=cluster.head.address, rank=rank) for rank in (0, 1)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(cluster.worker.command(lines[1]), stdin=quiet, stdout=quiet, stderr=quiet) as other:
        try:
            assert "sum 2" in cluster.head.run(lines[0], timeout=180)
            assert other.wait(timeout=60) == 0
        finally:
            other.kill()


def _is_under_way(cluster: Cluster, run: Path) -> bool:
    """Whether trials run on both nodes: a bench has one seat there, and as many trials run as there are benches."""
    benches = sum(
        any("RayTrainWorker" in command for command in host.processes().values())
        for host in (cluster.head, cluster.worker)
    )
    if benches < 2 or not (run / "ledger.jsonl").is_file():
        return False
    history = read_ledger(run / "ledger.jsonl")
    return bool(history.outcomes) and len(history.drawn) - len(history.outcomes) == benches


def _say(what: str) -> None:
    print(f"  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
