"""No tokens in the files and output of a search, and no dashboard on the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.whole_search import EXPORTED, FILES, PRINTED, SECRETS

pytestmark = pytest.mark.ray

LEFT = ("ledger.jsonl", "report/index.html", "search.png", "ray", "tensorboard")


def test_a_search_neither_keeps_nor_prints_secrets(whole_search: Path) -> None:
    work = whole_search / "work"
    assert all((work / "run" / name).exists() for name in LEFT) and any((work / EXPORTED).iterdir())
    assert "this draw is doomed" in (work / PRINTED).read_text()
    files = [path for path in work.rglob("*") if path.is_file()]
    secrets = [*SECRETS.values(), *FILES.values()]
    telling = {
        (str(path.relative_to(work)), secret)
        for path in files
        for secret in secrets
        if secret.encode() in path.read_bytes()
    }
    assert not telling


def test_no_secret_is_in_the_logs_of_ray(whole_search: Path) -> None:
    logs = [path for path in whole_search.glob("r/ray/session_*/logs/**/*") if path.is_file()]
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
