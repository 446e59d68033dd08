"""Follows docs/cluster.md on hosts of namespaces, and cuts them off in the middle of a search.

    python -m tests.cluster_hosts        as root, on Linux; some twenty minutes

Exit codes: 0 passed, 1 failed, 2 this machine cannot make such hosts.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from results.run.ledger import read_ledger
from tests.cluster_hosts.cluster import SEARCH_SECONDS, Cluster, assert_each_ended_once, say, wait_until
from tests.cluster_hosts.from_laptop import search_from_laptop
from tests.cluster_hosts.network import cut_off, network, plug_in, why_not_here

TRIALS = 6
NOTHING_ACCEPTED = 3
JOIN_SECONDS = 300.0
LEAVE_SECONDS = 240.0
"""A raylet ends a minute after it lost the head, and its agents a minute after that."""

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
    # Not in /tmp, which is small on many systems. Short names, since a socket path has a hundred characters at most.
    site = Path(tempfile.mkdtemp(prefix="sweetspot-", dir="/var/tmp"))
    try:
        with network(("bucket", "laptop", "head", "worker"), site) as hosts:
            _try(Cluster.of(hosts, site), site / "shared")
    except (AssertionError, RuntimeError, subprocess.SubprocessError):
        traceback.print_exc()
        print(f"the hosts' folders are left in {site}", file=sys.stderr)
        return 1
    shutil.rmtree(site)
    return 0


def _try(cluster: Cluster, shared: Path) -> None:
    cluster.serve_bucket()
    cluster.up()
    say("ray up: the head has started")
    wait_until("two nodes", lambda: cluster.alive() == 2, JOIN_SECONDS)
    say("the worker has joined")
    _check_token(cluster)
    say("the token is on both nodes and nowhere else; without it Ray answers nobody, and the dashboard is private")
    _check_workers_reach_each_other(cluster)
    say("a group of torch workers reaches from one node to the other")
    run, log = shared / "run", cluster.laptop.folder / "search.log"
    search = cluster.search_on_head(f"--space demo --trials {TRIALS} --out {run}", log)
    wait_until("trials on both nodes", lambda: cluster.trains_on_both(run / "ledger.jsonl"), SEARCH_SECONDS)
    cut_off(cluster.bucket, cluster.worker)
    say("the worker was cut off in the middle of the search")
    # Ray's autoscaler gives up a node for good once it has not answered for a quarter of an hour.
    wait_until("every trial's end", lambda: search.poll() is not None or _have_ended(run), SEARCH_SECONDS)
    plug_in(cluster.bucket, cluster.worker)
    code = search.wait(timeout=SEARCH_SECONDS)
    assert code in (0, NOTHING_ACCEPTED), f"the search ended with {code}: {log.read_text()[-4000:]}"
    assert_each_ended_once(run / "ledger.jsonl", TRIALS)
    say("the search went on and ended; each of its trials ended once")
    wait_until("the worker back", lambda: cluster.alive() == 2, JOIN_SECONDS)
    say("the worker, which was plugged in again, has joined")
    search_from_laptop(cluster)
    cluster.down()
    for host in (cluster.head, cluster.worker):
        started = time.monotonic()
        while left := host.processes():
            assert time.monotonic() - started < LEAVE_SECONDS, f"left on the {host.name}: {list(left.values())}"
            time.sleep(2)
    say("ray down: no process is left on the head or the worker")


def _check_token(cluster: Cluster) -> None:
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


def _check_workers_reach_each_other(cluster: Cluster) -> None:
    """Sums a number over both nodes with Gloo, although each node's own name resolves to its loopback."""
    lines = [GROUP.format(address=cluster.head.address, rank=rank) for rank in (0, 1)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(cluster.worker.command(lines[1]), stdin=quiet, stdout=quiet, stderr=quiet) as other:
        try:
            assert "sum 2" in cluster.head.run(lines[0], timeout=180)
            assert other.wait(timeout=60) == 0
        finally:
            other.kill()


def _have_ended(run: Path) -> bool:
    return len(read_ledger(run / "ledger.jsonl").outcomes) >= TRIALS


if __name__ == "__main__":
    sys.exit(main())
