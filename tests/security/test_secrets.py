"""No tokens in the files and output of a search, and no dashboard on the network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.ray

SECRETS = {
    "HF_TOKEN": "hf_plantedPlantedPlantedPlantedPlan01",
    "HUGGING_FACE_HUB_TOKEN": "hf_plantedPlantedPlantedPlantedPlan02",
    "AWS_SECRET_ACCESS_KEY": "planted/secretAccessKey/planted03",
    "AWS_SESSION_TOKEN": "plantedSessionTokenPlanted04",
}
FILES = {
    ".cache/huggingface/token": "hf_plantedPlantedPlantedPlantedPlan05",
    ".ray/auth_token": "0a0b0c0d0e0f0a0b0c0d0e0f0a0b0c0d0e0f0a0b0c0d0e0f0a0b0c0d0e0f0607",
}
LEFT = ("ledger.jsonl", "report/index.html", "search.png", "ray", "tensorboard")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The folder of a whole search on a machine with secrets, with its output."""
    # Ray puts its sockets below this folder, and their paths must be short.
    folder = Path(tempfile.mkdtemp(prefix="told-", dir="/tmp"))
    for name, secret in FILES.items():
        path = folder / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(secret)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "HF_"))}
    environment |= {**SECRETS, "HOME": str(folder / "home"), "RAY_TMPDIR": str(folder / "r"), "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "token"}
    (folder / "r").mkdir()
    work = folder / "work"
    work.mkdir()
    with (work / "printed").open("wb") as printed:
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.whole_search", str(work)],
            cwd=ROOT,
            env=environment,
            stdout=printed,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        assert done.returncode == 0, (work / "printed").read_text(errors="replace")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_search_neither_keeps_nor_prints_secrets(folder: Path) -> None:
    work = folder / "work"
    assert all((work / "run" / name).exists() for name in LEFT) and any((work / "exported").iterdir())
    assert "this draw is doomed" in (work / "printed").read_text()
    files = [path for path in work.rglob("*") if path.is_file()]
    secrets = [*SECRETS.values(), *FILES.values()]
    telling = {
        (str(path.relative_to(work)), secret)
        for path in files
        for secret in secrets
        if secret.encode() in path.read_bytes()
    }
    assert not telling


def test_no_secret_is_in_the_logs_of_ray(folder: Path) -> None:
    logs = [path for path in folder.glob("r/ray/session_*/logs/**/*") if path.is_file()]
    assert logs
    secrets = [*SECRETS.values(), *FILES.values()]
    assert not {path.name for path in logs for secret in secrets if secret.encode() in path.read_bytes()}


@pytest.mark.usefixtures("local_ray")
def test_the_dashboard_of_a_search_is_for_this_machine_alone() -> None:
    from ray._private.worker import global_worker

    host, _, port = global_worker.node.address_info["webui_url"].rpartition(":")
    assert host == "127.0.0.1"
    assert listening(int(port)) == {"127.0.0.1"}


def listening(port: int) -> set[str]:
    """Addresses with a listener on that port."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        address, state = line.split()[1], line.split()[3]
        where, _, number = address.partition(":")
        if state == "0A" and int(number, 16) == port:
            found.add(".".join(str(byte) for byte in reversed(bytes.fromhex(where))))
    if any(int(line.split()[1].partition(":")[2], 16) == port and line.split()[3] == "0A"
           for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]):  # fmt: skip
        found.add("::")
    return found
