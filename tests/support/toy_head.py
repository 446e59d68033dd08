"""A head in a folder of this machine: bash with its own home, and a Ray that takes jobs, or a fast substitute."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.submit.head import CommandResult, OnLine

START_SECONDS = 120
TOY_RAY = """\
#!/usr/bin/env bash
# Ray's commands for jobs: submit, logs, stop. Each job has a log, a process group and an exit code.
verb=$2
shift 2
mkdir -p "$HOME/jobs" && cd "$HOME/jobs"
if [ "$verb" = submit ]; then
    while [ "$1" != -- ]; do
        [ "$1" = --submission-id ] && id=$2
        [ "$1" = --working-dir ] && folder=$2
        shift
    done
    shift
    [ -e "$id.log" ] && { echo "RuntimeError: Job with submission_id $id already exists."; exit 1; }
    echo "Running entrypoint for job $id: $*" >"$id.log"
    setsid bash -c 'cd "$1" && shift && log=$1 && shift && "$@" >>"$log.log" 2>&1; echo $? >"$log.code"' \\
        _ "$folder" "$PWD/$id" "$@" >/dev/null 2>&1 &
    echo $! >"$id.group"
    exit 0
fi
for id; do :; done
[ -e "$id.log" ] || { echo "RuntimeError: Request failed with status code 404: Job $id does not exist"; exit 1; }
if [ "$verb" = stop ]; then
    kill -INT -- "-$(cat "$id.group")"
    exit
fi
tail -n +1 -s 0.1 -f --pid="$(cat "$id.group")" "$id.log"
[ "$(cat "$id.code" 2>/dev/null)" = 0 ] && echo "Job '$id' succeeded" || echo "Job '$id' failed"
"""
TOY_RUN = '''
"""A substitute for a search: lines, files, an exit code."""
import pathlib, signal, sys, time

arguments = sys.argv[1:]
chosen = dict(word.split("=", 1) for word in arguments if "=" in word)
out = pathlib.Path(arguments[arguments.index("--out") + 1])
print("arguments", arguments, flush=True)
if (code := int(chosen.get("--accept", 0))) == 2:
    sys.exit(code)
for name in ("best/adapter", "tensorboard/events", "report/index.html", "trials/t0/checkpoints/weights", "ray/junk",
             "prepared/codes", "search.png", ".lock"):
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text(" ".join(arguments))
with (out / "ledger.jsonl").open("a") as ledger:
    ledger.write("{}\\n")
try:
    for number in range(int(chosen.get("--trials", 3))):
        print(f"line {number}", flush=True)
        print(flush=True)
        time.sleep(float(chosen.get("--hours", 0)))
except KeyboardInterrupt:
    print("ended in good order")
    print(f"Resume:  python search/run.py --out {out} --resume")
    sys.exit(130)
print(f"Adapter: {out}/best")
sys.exit(code)
'''


class DirectoryHead:
    """See `search.submit.head.Head`. `home` is the home folder of the user on the head."""

    name = "toy.yaml"

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home = home
        self._environment = environment
        self.process: subprocess.Popen | None = None
        self.is_cut_off = False
        self.sent: list[str] = []
        """names of the bundles."""
        self.commands: list[str] = []
        """All commands that were run."""

    def run(self, command: str, on_line: OnLine | None = None) -> CommandResult:
        self.commands.append(command)
        if self.is_cut_off:
            return CommandResult(None, ("no route to host",))
        self.process = subprocess.Popen(
            ["bash", "-c", command],
            env=self._environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        lines = []
        try:
            for line in self.process.stdout:
                lines.append(line.rstrip("\n"))
                if on_line:
                    on_line(lines[-1])
        except BaseException:
            self.cut()
            raise
        code = self.process.wait()
        return CommandResult(code if code >= 0 else None, tuple(lines))

    def cut(self) -> None:
        """Breaks the open connection."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def send(self, folder: Path, to: str) -> bool:
        if self.is_cut_off:
            return False
        self.sent.append(Path(to).name)
        shutil.copytree(folder, to, dirs_exist_ok=True)
        return True

    def fetch(self, file: str, to: Path) -> bool:
        if self.is_cut_off:
            return False
        shutil.copyfile(file, to)
        return True


def toy_head(folder: Path) -> DirectoryHead:
    """A head whose Ray is a script."""
    ray = folder / "bin" / "ray"
    ray.parent.mkdir(parents=True)
    ray.write_text(TOY_RAY)
    ray.chmod(0o755)
    (folder / "home").mkdir()
    path = f"{ray.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return DirectoryHead(folder / "home", {**os.environ, "PATH": path, "HOME": str(folder / "home")})


@contextmanager
def started_head() -> Iterator[DirectoryHead]:
    """A head with a real Ray, which is removed afterwards with all its files."""
    # The folder holds Ray's sockets, whose paths must be short.
    folder = Path(tempfile.mkdtemp(prefix="head-", dir="/tmp"))
    home = folder / "home"
    home.mkdir()
    port = _free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        "HOME": str(home),
        "RAY_AUTH_MODE": "token",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RAY_TMPDIR": str(folder),
        "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{port}",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    start = ["ray", "start", "--head", "--block", "--port=0", "--node-ip-address=127.0.0.1", f"--dashboard-port={port}"]
    start += ["--num-cpus=2", f"--object-store-memory={80 * 2**20}", "--disable-usage-stats"]
    head = DirectoryHead(home, environment)
    assert head.run("umask 077; ray get-auth-token --generate > /dev/null").code == 0
    # Another Ray on this machine may use the default port.
    start += [f"--dashboard-agent-listen-port={_free_port()}"]
    with (folder / "log").open("w") as log:
        ray = subprocess.Popen(start, env=environment, cwd=home, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + START_SECONDS
        while "Ray runtime started" not in (folder / "log").read_text() or head.run("ray job list").code:
            assert ray.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.5)
        yield head
    finally:
        ray.terminate()
        ray.wait()
        shutil.rmtree(folder, ignore_errors=True)


def toy_project(folder: Path) -> Path:
    """A checkout whose search is a script of a few lines."""
    (folder / "search").mkdir(parents=True)
    (folder / "search" / "run.py").write_text(TOY_RUN)
    return folder


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
