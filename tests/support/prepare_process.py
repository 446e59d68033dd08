"""A process that prepares clips of the demo voice, for tests that race it against another or kill it.

    python -m tests.support.prepare_process FOLDER CACHE CLIPS [--stop-at N] [--helpers]

It waits for a line on standard input once everything is imported, and writes JSON lines: `ready`, each `done`, and at
the end `encoded`, how many takes it encoded itself. At N takes it stays where it is, whatever it holds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.encoding_plans import CHECKPOINT, demo_clips, plan_of
from tests.support.paths import ROOT


class Preparing:
    """Such a process, seen from the test."""

    def __init__(self, folder: Path, cache: Path, clips: int, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.prepare_process", str(folder), str(cache), str(clips), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def begin(self) -> None:
        self.wait_for("ready")
        self.go()

    def go(self) -> None:
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def wait_for(self, what: str, value: int | None = None) -> Any:
        """What the next such line says; if `value` is given, the next that says so."""
        for line in self._process.stdout:
            said = json.loads(line)
            if what in said and value in (None, said[what]):
                return said[what]
        raise AssertionError(f"it ended with {self._process.wait()} before it said {what}")

    def kill(self) -> None:
        """SIGKILL: nothing is tidied up."""
        self._process.kill()
        self._process.wait()


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=Path)
    options.add_argument("cache", type=Path)
    options.add_argument("clips", type=int)
    options.add_argument("--stop-at", type=int)
    options.add_argument("--helpers", action="store_true")
    given = options.parse_args()
    out, sys.stdout = sys.stdout, sys.stderr

    def say(what: str, value: Any) -> None:
        print(json.dumps({what: value}), file=out, flush=True)

    from trainable.qwen3_tts.data import encode, encode_workers, prepare

    counts = []
    started = encode_workers.subprocess.Popen

    def encode_items(*args: Any) -> int:
        counts.append(encode.encode_items(*args))
        return counts[-1]

    def popen(*args: Any, **kwargs: Any) -> subprocess.Popen:
        helper = started(*args, **kwargs)
        say("helper", helper.pid)
        return helper

    prepare.encode_items = encode_items
    if given.helpers:
        encode_workers.subprocess.Popen = popen
        encode.WORKERS_FROM_SECONDS = 0.0
        encode._worker_count = lambda kind: 1

    def on_progress(done: int, of: int) -> None:
        say("done", done)
        if done == given.stop_at:
            time.sleep(600)

    plan = plan_of(demo_clips(given.clips))
    say("ready", True)
    sys.stdin.readline()
    prepare.prepare(plan, CHECKPOINT, given.folder, given.cache, on_progress)
    say("encoded", sum(counts))


if __name__ == "__main__":
    main()
