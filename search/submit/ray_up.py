"""The head of a cluster that `ray up` started, reached by Ray's own commands over SSH."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from search.submit.head import CommandResult, OnLine
from spaces.errors import InputError

NEEDED = {"ssh": "openssh-client", "rsync": "rsync"}
"""Programs that Ray's commands call on this machine, and the Debian packages that bring them."""
BEGIN, END = "@@ sweetspot begins", "@@ sweetspot ended"
"""Around the output of a command."""
LINE = re.compile("@@ (.*) @@")
"""A line of its output. Others are words of Ray and of SSH, also after those of a command whose connection is lost; a
line that was cut off in the middle is another, too."""
MARKING = "LC_ALL=C sed -u 's/^/@@ /; s/$/ @@/'"
NOT_UP = "Head node of cluster"
NOISE = re.compile(
    r"(\d{4}-\d\d-\d\d \S+ V*(INFO|WARN) |"
    r"Loaded cached provider|If you experience issues with the cloud provider|Fetched IP|Shared connection to|"
    r"Connection to \S+ closed|Command failed|Error:|!!!|\s|$|ssh .*bash --login)"
)
"""Lines that never say why a connection failed."""


class RayUpHead:
    """See `search.submit.head.Head`.

    Raises InputError for a file that `ray up` would not take, and where this machine lacks Ray's command, ssh or rsync.
    """

    def __init__(self, cluster: Path) -> None:
        _check(cluster)
        self._cluster = cluster
        self._ray = Path(sys.executable).with_name("ray")
        if not self._ray.is_file():
            raise InputError(f"{self._ray}: not there; install the project in this Python's environment: make")
        missing = [program for program in NEEDED if shutil.which(program) is None]
        if missing:
            raise InputError(
                f"{' and '.join(missing)}: not installed on this machine, and Ray reaches a cluster with it; "
                f"install it, such as by: sudo apt-get install {' '.join(NEEDED[program] for program in missing)}"
            )

    @property
    def name(self) -> str:
        return str(self._cluster)

    def run(self, command: str, on_line: OnLine | None = None) -> CommandResult:
        # What is written in Python would otherwise wait until there is more of it.
        within = f"( export PYTHONUNBUFFERED=1; {command} ) 2>&1 | {MARKING}"
        # The last line may have no end.
        marked = f"echo '{BEGIN}'; {within}; printf '\\n%s %d\\n' '{END}' ${{PIPESTATUS[0]}}"
        heard = _Heard(on_line or (lambda line: None))
        outside: list[str] = []
        with self._started("exec", self.name, marked) as lines:
            for line in lines:
                if not heard.takes(line):
                    outside.append(line)
        if heard.code is None:
            self._refuse_what_is_not_up(outside)
            return CommandResult(None, _reasons(outside))
        return CommandResult(heard.code, tuple(heard.lines))

    def send(self, folder: Path, to: str) -> bool:
        return self._rsync("rsync-up", f"{folder}/", f"{to}/")

    def fetch(self, file: str, to: Path) -> bool:
        return self._rsync("rsync-down", file, str(to))

    def _rsync(self, verb: str, source: str, target: str) -> bool:
        with self._started(verb, self.name, source, target) as lines:
            said = list(lines)
        self._refuse_what_is_not_up(said)
        if any("rsync: command not found" in line or "No such file or directory: 'rsync'" in line for line in said):
            raise InputError("rsync is needed, here and on the head: install it (apt-get install rsync)")
        return self._code == 0

    @contextmanager
    def _started(self, *arguments: str) -> Iterator[Iterator[str]]:
        """Ray's command, and its lines as they come; it is ended with whatever waits for it.

        In a session of its own: Ctrl-C is for this process alone, which tells the head what to do about it.
        """
        process = subprocess.Popen(
            [str(self._ray), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        )
        assert process.stdout is not None
        try:
            yield (raw.decode(errors="replace").rstrip("\r\n") for raw in process.stdout)
        finally:
            process.terminate()
            self._code = process.wait()
            process.stdout.close()

    def _refuse_what_is_not_up(self, lines: Sequence[str]) -> None:
        if any(NOT_UP in line for line in lines):
            raise InputError(f"{self.name}: this cluster is not up; start it with `ray up {self.name}`")


class _Heard:
    """What a command on the head has said, without the lines around it."""

    def __init__(self, on_line: OnLine) -> None:
        self._on_line = on_line
        self.code: int | None = None
        self.lines: list[str] = []

    def takes(self, line: str) -> bool:
        """Whether the line belongs to the command."""
        if match := LINE.fullmatch(line):
            self.lines.append(match[1])
            self._on_line(match[1])
        elif line.startswith(f"{END} "):
            self.code = int(line.removeprefix(END))
        return match is not None or line.startswith((BEGIN, END))


def _reasons(lines: Sequence[str]) -> tuple[str, ...]:
    told = [line for line in lines if not NOISE.match(line)]
    return tuple(told[-3:])


def _check(cluster: Path) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    if not cluster.is_file():
        raise InputError(f"--cluster {cluster}: no such file; expected the YAML that `ray up` was given")
    try:
        config = yaml.safe_load(cluster.read_text(encoding="utf-8"))
        if not isinstance(config, dict) or not {"cluster_name", "provider"} <= config.keys():
            raise ValueError("it has no cluster_name and provider")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            validate_config(prepare_config(config))
    except yaml.YAMLError as error:
        raise InputError(f"--cluster {cluster}: not valid YAML ({' '.join(str(error).split())})") from None
    except Exception as error:
        # The validator's messages go on with the whole schema.
        said = str(error).splitlines() or [type(error).__name__]
        raise InputError(f"--cluster {cluster}: `ray up` does not take this file: {said[0]}") from None
