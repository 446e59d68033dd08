"""The head of a cluster that `ray up` started, reached over SSH with Ray's own commands."""

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
"""Printed before and after the output of a command."""
LINE = re.compile("@@ (.*) @@")
"""A line of its output. All other lines come from Ray or SSH, or were cut when the connection was lost."""
MARKING = "LC_ALL=C sed -u 's/^/@@ /; s/$/ @@/'"
NOT_UP = "Head node of cluster"
NOISE = re.compile(
    r"(\d{4}-\d\d-\d\d \S+ V*(INFO|WARN) |"
    r"Loaded cached provider|If you experience issues with the cloud provider|Fetched IP|Shared connection to|"
    r"Connection to \S+ closed|Command failed|Error:|!!!|\s|$|ssh .*bash --login)"
)
"""Lines that do not say why a connection failed."""


class RayUpHead:
    """See `search.submit.head.Head`.

    Raises InputError for a file that `ray up` would refuse, or if this machine lacks Ray's command, ssh or rsync.
    """

    def __init__(self, cluster: Path) -> None:
        _check_file(cluster)
        self._cluster = cluster
        self._ray = Path(sys.executable).with_name("ray")
        if not self._ray.is_file():
            raise InputError(f"{self._ray}: not found; install the project in this Python environment with: make")
        missing = [program for program in NEEDED if shutil.which(program) is None]
        if missing:
            raise InputError(
                f"{' and '.join(missing)}: not installed on this machine, and Ray needs it to reach a cluster; "
                f"install it, for example with: sudo apt-get install {' '.join(NEEDED[program] for program in missing)}"
            )

    @property
    def name(self) -> str:
        return str(self._cluster)

    def run(self, command: str, on_line: OnLine | None = None) -> CommandResult:
        # Without this, Python would hold back its output until a buffer is full.
        within = f"( export PYTHONUNBUFFERED=1; {command} ) 2>&1 | {MARKING}"
        # The last line of output may lack its newline.
        marked = f"echo '{BEGIN}'; {within}; printf '\\n%s %d\\n' '{END}' ${{PIPESTATUS[0]}}"
        output = _Output(on_line or (lambda line: None))
        outside: list[str] = []
        with self._started("exec", self.name, marked) as lines:
            for line in lines:
                if not output.consume(line):
                    outside.append(line)
        if output.code is None:
            self._check_is_up(outside)
            return CommandResult(None, _reasons(outside))
        return CommandResult(output.code, tuple(output.lines))

    def send(self, folder: Path, to: str) -> bool:
        return self._rsync("rsync-up", f"{folder}/", f"{to}/")

    def fetch(self, file: str, to: Path) -> bool:
        return self._rsync("rsync-down", file, str(to))

    def _rsync(self, verb: str, source: str, target: str) -> bool:
        with self._started(verb, self.name, source, target) as lines:
            output = list(lines)
        self._check_is_up(output)
        if any("rsync: command not found" in line or "No such file or directory: 'rsync'" in line for line in output):
            raise InputError("rsync: not found here or on the head; install it on both (apt-get install rsync)")
        return self._code == 0

    @contextmanager
    def _started(self, *arguments: str) -> Iterator[Iterator[str]]:
        """Runs Ray's command and yields the lines of its output; ends it when the block is left.

        The command runs in its own session, because Ctrl-C is for this process only, which passes it on to the head.
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

    def _check_is_up(self, lines: Sequence[str]) -> None:
        if any(NOT_UP in line for line in lines):
            raise InputError(f"{self.name}: the cluster is not up; start it with `ray up {self.name}`")


class _Output:
    """The output and the exit code of a command, filtered from the lines of Ray and SSH."""

    def __init__(self, on_line: OnLine) -> None:
        self._on_line = on_line
        self.code: int | None = None
        self.lines: list[str] = []

    def consume(self, line: str) -> bool:
        """Returns whether the line belongs to the command."""
        if match := LINE.fullmatch(line):
            self.lines.append(match[1])
            self._on_line(match[1])
        elif line.startswith(f"{END} "):
            self.code = int(line.removeprefix(END))
        return match is not None or line.startswith((BEGIN, END))


def _reasons(lines: Sequence[str]) -> tuple[str, ...]:
    """The last lines that may say why a connection failed."""
    return tuple([line for line in lines if not NOISE.match(line)][-3:])


def _check_file(cluster: Path) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    if not cluster.is_file():
        raise InputError(f"--cluster {cluster}: no such file; give the YAML file that `ray up` was given")
    try:
        config = yaml.safe_load(cluster.read_text(encoding="utf-8"))
        if not isinstance(config, dict) or not {"cluster_name", "provider"} <= config.keys():
            raise ValueError("it has no cluster_name and provider")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            validate_config(prepare_config(config))
    except yaml.YAMLError as error:
        raise InputError(f"--cluster {cluster}: not valid YAML ({' '.join(str(error).split())})") from None
    except Exception as error:
        # Only the first line: the validator's messages continue with the whole schema.
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"--cluster {cluster}: `ray up` would refuse this file: {problem}") from None
