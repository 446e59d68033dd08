"""The scripts that set up nodes and accounts, in a temporary home folder and with commands that only record calls."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT

SYSTEM = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def recording(folder: Path, *names: str) -> Path:
    """A folder of commands that append each call to the file `calls`."""
    folder.mkdir()
    for name in names:
        (folder / name).write_text('#!/bin/sh\nprintf "%s\\n" "$(basename "$0") $*" >> "$(dirname "$0")/calls"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """The home folder of a node that `ray up` has copied the scripts to."""
    home = tmp_path / "home"
    (home / "sweetspot/clusters").mkdir(parents=True)
    for script in (ROOT / "clusters").glob("*.sh"):
        shutil.copy(script, home / "sweetspot/clusters")
    (home / ".bashrc").write_text("case $- in *i*) ;; *) return ;; esac\nexport MINE=1\n")
    return home


def set_up(home: Path, path: str) -> subprocess.CompletedProcess[str]:
    script = ["bash", str(home / "sweetspot/clusters/set_up_node.sh"), "0.0.1"]
    return subprocess.run(script, env={"HOME": str(home), "PATH": path}, capture_output=True, text=True, check=False)


def test_setting_up_a_node_twice_changes_nothing(node: Path, tmp_path: Path) -> None:
    commands = recording(tmp_path / "bin", "make", "python3.11")
    for _ in range(2):
        done = set_up(node, f"{commands}:{SYSTEM}")
        assert done.returncode == 0, done.stderr
    lines = (node / ".bashrc").read_text().splitlines()
    assert lines[0] == '. "$HOME/sweetspot/clusters/environment.sh"'
    assert lines[1:] == ["case $- in *i*) ;; *) return ;; esac", "export MINE=1"]
    assert (node / ".sweetspot").is_dir()
    made = [line for line in (commands / "calls").read_text().splitlines() if line.startswith("make")]
    assert made == ["make --silent .venv/installed PYTHON=python3.11"] * 2


def test_a_non_interactive_shell_finds_ray(node: Path, tmp_path: Path) -> None:
    """`ray down` sends `ray stop` through a login shell; where it was not found, every process of Ray stayed."""
    set_up(node, f"{recording(tmp_path / 'bin', 'make', 'python3.11')}:{SYSTEM}")
    ray = recording(node / "sweetspot/.venv_bin", "ray")
    (node / "sweetspot/.venv").mkdir()
    ray.rename(node / "sweetspot/.venv/bin")
    line = "source ~/.bashrc; export OMP_NUM_THREADS=1 && (ray stop)"
    subprocess.run(["bash", "--login", "-c", line], env={"HOME": str(node), "PATH": SYSTEM}, check=True)
    assert (node / "sweetspot/.venv/bin/calls").read_text() == "ray stop\n"


def test_a_node_that_cannot_install_python_says_what_to_install(node: Path, tmp_path: Path) -> None:
    tools = tmp_path / "few"
    tools.mkdir()
    for name in ("bash", "dirname", "mkdir", "touch", "grep", "cat", "mv", "id", "hostname"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    done = set_up(node, str(tools))
    assert done.returncode == 1
    assert "Python 3.11" in done.stderr and "install them" in done.stderr


def test_a_shell_of_a_node_finds_ray_requires_the_token_and_avoids_the_loopback(tmp_path: Path) -> None:
    """A login shell on a machine without any such setting, as `ray up` and `ray down` use it."""
    script = f". {ROOT}/clusters/environment.sh; echo $PATH; env"
    shell = ["env", "-i", f"HOME={tmp_path}", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "bash", "-c", script]
    path, *lines = subprocess.run(shell, capture_output=True, text=True, check=True).stdout.splitlines()
    environment = dict(line.split("=", 1) for line in lines if "=" in line)
    assert path.split(":")[0] == f"{tmp_path}/sweetspot/.venv/bin"
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["HF_HOME"].startswith(f"{tmp_path}/.sweetspot/")
    assert environment["SWEETSPOT_CACHE"].startswith(f"{tmp_path}/.sweetspot/")
    assert environment.get("GLOO_SOCKET_IFNAME") != "lo"


def test_the_roles_of_machines_have_only_the_needed_permissions(tmp_path: Path) -> None:
    commands = recording(tmp_path / "bin", "aws")
    path = f"{commands}:{SYSTEM}"
    script = ["bash", str(ROOT / "clusters/aws_roles.sh"), "my-bucket"]
    subprocess.run(script, env={"PATH": path}, check=True)
    calls = (commands / "calls").read_text().splitlines()
    policies: dict[str, list[dict[str, Any]]] = {}
    for line in calls:
        role = re.search(r"--(?:role|instance-profile)-name (\S+)", line)[1]
        if "put-role-policy" in line:
            policies.setdefault(role, []).extend(json.loads(line.split("--policy-document ")[1])["Statement"])
    file = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
    named = {kind["node_config"]["IamInstanceProfile"]["Name"] for kind in file["available_node_types"].values()}
    assert named == policies.keys() == {"sweetspot-head", "sweetspot-worker"}
    bucket = ["arn:aws:s3:::my-bucket", "arn:aws:s3:::my-bucket/*"]
    assert [statement["Resource"] for statement in policies["sweetspot-worker"]] == bucket
    assert all(action.startswith("s3:") for one in policies["sweetspot-worker"] for action in one["Action"])
    passed = [one["Resource"] for one in policies["sweetspot-head"] if "iam:PassRole" in one["Action"]]
    assert passed == ["arn:aws:iam::*:role/sweetspot-worker"]
    without = subprocess.run(script[:2], env={"PATH": path}, capture_output=True, text=True, check=False)
    assert without.returncode and "give the name of the bucket" in without.stderr


@pytest.mark.parametrize("has_role", [True, False])
def test_an_account_without_spot_machines_gets_their_role(tmp_path: Path, has_role: bool) -> None:
    commands = recording(tmp_path / "bin", "aws")
    if not has_role:
        with (commands / "aws").open("a") as script:
            script.write('[ "$2" != get-role ]\n')
    script = ["bash", str(ROOT / "clusters/aws_roles.sh"), "my-bucket"]
    subprocess.run(script, env={"PATH": f"{commands}:{SYSTEM}"}, check=True)
    calls = (commands / "calls").read_text().splitlines()
    made = [line for line in calls if line.startswith("aws iam create-service-linked-role ")]
    assert made == ([] if has_role else ["aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"])
    assert "--policy-name workers" in calls[-1]
