"""The head of a cluster through Ray's own commands. Only `ssh` is replaced, by a script that runs commands here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from search.submit.ray_up import BEGIN, RayUpHead
from spaces.errors import InputError
from tests.support.paths import ROOT

CLUSTER = """
cluster_name: toy
provider: {type: local, head_ip: 192.0.2.1, worker_ips: []}
auth: {ssh_user: somebody}
rsync_exclude: [__pycache__]
"""
SSH = """#!/usr/bin/env bash
# Runs the remote command on this machine, as sshd does: in a shell, in the home folder of the user.
[ -e "$HEAD_HOME/unplugged" ] && { echo "ssh: connect to host 192.0.2.1 port 22: Connection timed out" >&2; exit 255; }
while [ "${1#-}" != "$1" ]; do
    case $1 in -i | -o | -l | -p) shift ;; esac
    shift
done
shift
cd "$HEAD_HOME" && export HOME="$HEAD_HOME"
# Where a cable is pulled, so many bytes have come.
if [ -e unplugged_after ]; then
    bash -c "$*" 2>/dev/null | head -c "$(cat unplugged_after)"
    printf '\nTimeout, not responding.\n' >&2
    exit 255
fi
exec bash -c "$*"
"""
UP = {"192.0.2.1": {"tags": {"ray-node-type": "head", "ray-node-status": "up-to-date"}, "state": "running"}}


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RayUpHead:
    """Of a cluster that is up. Its folder is `home`."""
    (tmp_path / "cluster.yaml").write_text(CLUSTER)
    (tmp_path / "home").mkdir()
    (tmp_path / "bin").mkdir()
    ssh = tmp_path / "bin" / "ssh"
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    if shutil.which("rsync") is None:
        (ssh.parent / "rsync").write_text("#!/bin/sh\nexit 127\n")
        (ssh.parent / "rsync").chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{ROOT / '.venv' / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("HEAD_HOME", str(tmp_path / "home"))
    # Where Ray remembers which clusters of one's own machines are up.
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "tmp"))
    state = tmp_path / "tmp" / "ray" / "cluster-toy.state"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps(UP))
    return RayUpHead(tmp_path / "cluster.yaml")


@pytest.mark.parametrize("program", ["ssh", "rsync"])
def test_a_machine_without_ssh_or_rsync_is_told_what_to_install(
    head: RayUpHead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    other = {"ssh": "rsync", "rsync": "ssh"}[program]
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / other).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path / "only"))
    with pytest.raises(InputError, match=f"^{program}: not installed on this machine.*apt-get install"):
        RayUpHead(tmp_path / "cluster.yaml")


def test_output_arrives_line_by_line_with_the_exit_code(head: RayUpHead) -> None:
    received: list[str] = []
    script = "echo 'it'\"'\"'s $HOME'; echo; printf '%s' \"$HOME\" | wc -l; echo ü >&2; echo no end; printf x; exit 3"
    result = head.run(script, received.append)
    assert (result.code, result.is_lost) == (3, False)
    assert received == list(result.lines) == ["it's $HOME", "", "0", "ü", "no end", "x"]


@pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync on the path, which copies the files")
def test_folders_and_files_are_copied_and_a_lost_connection_is_no_error(head: RayUpHead, tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "a bundle"
    (here / "inner").mkdir(parents=True)
    (here / "inner" / "some one's.txt").write_text("words")
    (home / "there").mkdir()
    assert head.send(here, f"{home}/there")
    assert (home / "there" / "inner" / "some one's.txt").read_text() == "words"
    assert head.fetch(f"{home}/there/inner/some one's.txt", tmp_path / "back")
    assert (tmp_path / "back").read_text() == "words"
    (home / "unplugged").touch()
    assert not head.send(here, f"{home}/there") and not head.fetch(f"{home}/there/x", tmp_path / "x")
    result = head.run("true")
    assert result.is_lost and any("Connection timed out" in line for line in result.lines), result


@pytest.mark.parametrize(("arrived", "whole"), [("", []), ("@@ one @@\n@@ two @", ["one"]), ("@@ one @@\n@@", ["one"])])
def test_a_lost_connection_keeps_only_whole_lines_of_the_command(
    head: RayUpHead, tmp_path: Path, arrived: str, whole: list[str]
) -> None:
    (tmp_path / "home" / "unplugged_after").write_text(str(len(f"{BEGIN}\n{arrived}")))
    received: list[str] = []
    result = head.run("echo one; echo two; echo three", received.append)
    assert received == whole
    assert result.is_lost and result.lines[-1] == "Timeout, not responding."


def test_a_cluster_that_is_not_up_is_refused_with_the_remedy(head: RayUpHead, tmp_path: Path) -> None:
    (tmp_path / "tmp" / "ray" / "cluster-toy.state").unlink()
    for attempt in (lambda: head.run("true"), lambda: head.send(tmp_path / "home", "/there")):
        with pytest.raises(InputError, match="cluster.yaml: the cluster is not up; start it with `ray up"):
            attempt()


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (None, "no such file; give the YAML file that `ray up` was given"),
        ("a: [", "not valid YAML"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
        ("just words", "it has no cluster_name and provider"),
        ("apiVersion: ray.io/v1\nkind: RayCluster\n", "it has no cluster_name and provider"),
        (CLUSTER + "max_wrkers: 3\n", "would refuse this file: .*max_wrkers"),
        (CLUSTER.replace("local", "lokal"), "would refuse this file"),
    ],
)
def test_a_file_that_ray_up_would_refuse_is_refused(tmp_path: Path, text: str | None, refusal: str) -> None:
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=f"--cluster .*mine.yaml: .*{refusal}") as refused:
        RayUpHead(path)
    assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("head")
@pytest.mark.parametrize("path", ["cluster.yaml", "clusters/onprem.yaml"])
def test_the_projects_own_cluster_files_are_taken(path: str, capfd: pytest.CaptureFixture[str]) -> None:
    RayUpHead(ROOT / path)
    assert capfd.readouterr() == ("", "")
