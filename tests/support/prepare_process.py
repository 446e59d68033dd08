"""Prepares clips of the demo voice in another process, for tests that race it against a second one or kill it.

    python -m tests.support.prepare_process FOLDER CACHE CLIPS [--stop-at N] [--workers]

It waits for a line on standard input once everything is imported, and writes JSON lines: `ready`, each `done`, and at
the end `encoded`, the number of items that it encoded. At N items it stops and keeps the lock that it holds.
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
    """The process, as the test handles it."""

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

    def wait_for(self, key: str, value: int | None = None) -> Any:
        """Returns the value of the next line with that key; with `value`, of the next line that has it."""
        for line in self._process.stdout:
            message = json.loads(line)
            if key in message and value in (None, message[key]):
                return message[key]
        raise AssertionError(f"expected a line with {key}, got the end with exit code {self._process.wait()}")

    def kill(self) -> None:
        """Sends SIGKILL, so that nothing is cleaned up."""
        self._process.kill()
        self._process.wait()


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=Path)
    options.add_argument("cache", type=Path)
    options.add_argument("clips", type=int)
    options.add_argument("--stop-at", type=int)
    options.add_argument("--workers", action="store_true")
    given = options.parse_args()
    out, sys.stdout = sys.stdout, sys.stderr

    def report(key: str, value: Any) -> None:
        print(json.dumps({key: value}), file=out, flush=True)

    from trainable.qwen3_tts.data import encode, encode_workers, prepare

    counts = []
    started = encode_workers.subprocess.Popen

    def encode_items(*args: Any) -> int:
        counts.append(encode.encode_items(*args))
        return counts[-1]

    def popen(*args: Any, **kwargs: Any) -> subprocess.Popen:
        worker = started(*args, **kwargs)
        report("worker", worker.pid)
        return worker

    prepare.encode_items = encode_items
    if given.workers:
        encode_workers.subprocess.Popen = popen
        encode.WORKERS_FROM_SECONDS = 0.0
        encode._worker_count = lambda device_type: 1

    def on_progress(done: int, total: int) -> None:
        report("done", done)
        if done == given.stop_at:
            time.sleep(600)

    plan = plan_of(demo_clips(given.clips))
    report("ready", True)
    sys.stdin.readline()
    prepare.prepare(plan, CHECKPOINT, given.folder, given.cache, on_progress)
    report("encoded", sum(counts))


if __name__ == "__main__":
    main()
