"""A search of a voice on the laptop, by nodes that share only a bucket; the laptop is cut off meanwhile."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

from results.run.ledger import read_ledger
from tests.cluster_hosts.cluster import SEARCH_SECONDS, Cluster, assert_each_ended_once, say, wait_until
from tests.cluster_hosts.host import ROOT, Host
from tests.cluster_hosts.network import cut_off, plug_in
from tests.support.s3_server import KEY, SECRET

TRIALS = 6
STORAGE = "s3://bucket/voice"
LOST_SECONDS = 300.0
"""An open connection is given up after a quarter of a minute, and an attempt at another after two minutes at most."""
OWN_LINES = ("Sends:", "Job:", "No answer from", "Here:", "bash: ")
"""How lines begin that the laptop itself prints, or its shell without a terminal."""
STORED = """\
import json, sys
from trainable.files.object_store import ObjectStore
stored = ObjectStore(sys.argv[1])
print(json.dumps([sorted(stored.listing("")), stored.read("ledger.jsonl").decode()]))
"""


def search_from_laptop(cluster: Cluster) -> None:
    """Raises AssertionError where the search does not behave as docs/cluster.md says."""
    home = cluster.laptop.folder / "home"
    shutil.copytree(ROOT / "demo/voice", home / "voice")
    out, log = home / "runs/voice", cluster.laptop.folder / "laptop.log"
    options = f"--data ~/voice --space demo --trials {TRIALS} --storage {STORAGE} --out ~/runs/voice"
    search = cluster.search_from_laptop(options, log)
    wait_until("trials on each disk", lambda: _has_trials_on_each_disk(cluster, search, log), SEARCH_SECONDS)
    say("a search from the laptop trains on both nodes, each on its own disk")
    run_there = json.loads((out / "cluster.json").read_text())["run"]
    run = _on_disk(cluster.head, run_there)
    cut_off(cluster.bucket, cluster.laptop)
    ended = len(read_ledger(run / "ledger.jsonl").outcomes)
    wait_until("a message on the lost connection", lambda: "No answer from" in log.read_text(), LOST_SECONDS)
    wait_until("more", lambda: len(read_ledger(run / "ledger.jsonl").outcomes) > ended, SEARCH_SECONDS)
    say("the laptop was cut off, and said so; the search went on without it")
    plug_in(cluster.bucket, cluster.laptop)
    code = search.wait(timeout=SEARCH_SECONDS)
    assert code == 0, f"the search ended with {code}: {log.read_text()[-4000:]}"
    _check_log(cluster, log, run_there, out)
    say("the laptop was plugged in and followed the search to its end, without a line lost or told twice")
    _check_results(run, out)
    _check_storage(cluster, run_there, run)
    say("the laptop has the ledger, the page, TensorBoard and the adapter; the bucket has the run")
    again = cluster.laptop.folder / "again.log"
    code = cluster.search_from_laptop("--out ~/runs/voice --resume", again).wait(timeout=SEARCH_SECONDS)
    assert code == 0 and f"{TRIALS} of {TRIALS} trials ended" in again.read_text(), again.read_text()[-4000:]
    _check_results(run, out)
    say("the same with --resume finds it ended, and trains nothing again")
    files = [log, again, *(path for path in out.rglob("*") if path.is_file())]
    leaks = [path for path in files if any(secret.encode() in path.read_bytes() for secret in (KEY, SECRET))]
    assert not leaks, f"the bucket's keys stand in {leaks}"


def _on_disk(host: Host, path: str) -> Path:
    """The path outside a host of a path below its home folder."""
    return host.folder / "home" / Path(path).relative_to(host.folder.parent / "home")


def _has_trials_on_each_disk(cluster: Cluster, search: subprocess.Popen, log: Path) -> bool:
    """Whether each node trains, and no disk has the curve of a trial that is trained on the other."""
    assert search.poll() is None, f"the search ended at once: {log.read_text()[-4000:]}"
    record = cluster.laptop.folder / "home/runs/voice/cluster.json"
    if not record.is_file():
        return False
    run = json.loads(record.read_text())["run"]
    ledger = _on_disk(cluster.head, run) / "ledger.jsonl"
    if not cluster.trains_on_both(ledger):
        return False
    running = read_ledger(ledger).running
    there = [
        {trial for trial in running if (_on_disk(host, run) / "trials" / trial / "curve.jsonl").is_file()}
        for host in (cluster.head, cluster.worker)
    ]
    return all(there) and there[0].isdisjoint(there[1])


def _check_log(cluster: Cluster, log: Path, run: str, out: Path) -> None:
    """The laptop has printed every line of the search on the head, with the paths of the laptop."""
    (job,) = cluster.head.folder.glob(f"ray/session_*/logs/job-driver-{Path(run).name}.log")
    here = cluster.laptop.folder.parent / "home" / out.relative_to(cluster.laptop.folder / "home")
    replaced = {
        f"search/run.py --out {run}": f"search/run.py --cluster {cluster.file} --out {here}",
        run: str(here),
    }
    _, _, said = job.read_text().partition("Running entrypoint for job ")
    for word, instead in replaced.items():
        said = said.replace(word, instead)
    there = [line.rstrip() for line in said.splitlines()[1:] if line.strip() and not line.startswith("@@ ")]
    told = [line.rstrip() for line in log.read_text().splitlines() if line.strip() and not line.startswith(OWN_LINES)]
    assert told == there, f"compare {log} with {job}"


def _check_results(run: Path, out: Path) -> None:
    assert_each_ended_once(out / "ledger.jsonl", TRIALS)
    assert (out / "ledger.jsonl").read_bytes() == (run / "ledger.jsonl").read_bytes()
    names = ("report/index.html", "search.png", "best/adapter_model.safetensors")
    missing = [name for name in names if not (out / name).is_file()]
    assert not missing and list((out / "tensorboard").rglob("events*")), f"lacking: {missing}"
    weights = [path for path in out.rglob("checkpoints/*/*") if path.is_file()]
    assert not weights, f"weights of trials were fetched too: {weights}"


def _check_storage(cluster: Cluster, run_there: str, run: Path) -> None:
    names, ledger = json.loads(cluster.head.run(f"cd ~/sweetspot && python -c {shlex.quote(STORED)} {STORAGE}"))
    assert ledger == (run / "ledger.jsonl").read_text()
    trials = read_ledger(run / "ledger.jsonl").outcomes
    lacking = {f"trials/{trial}/outcome.json" for trial in trials} - set(names)
    assert not lacking, f"not in storage: {lacking}"
    assert any(name.startswith("data/") and name.endswith("/metadata.jsonl") for name in names), (
        "the voice is not there"
    )
    worker = _on_disk(cluster.worker, run_there)
    assert (worker / "prepared").is_dir() and (worker / "trials").is_dir()
    own = [name for name in ("tensorboard", "report", "search.png") if (worker / name).exists()]
    assert not own, f"the worker has what the head alone writes: {own}"
