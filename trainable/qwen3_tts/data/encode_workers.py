"""Processes that encode beside the one that prepares, each with the codec alone."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from trainable.dataset.encoding_plan import EncodingItem

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 60.0
"""For a helper to end when it is sent home."""


@dataclass(frozen=True)
class EncodeJob:
    """What a helper is told."""

    takes: Mapping[str, EncodingItem]
    checkpoint: Path
    store: Path
    device: str


class EncodeWorkers:
    """At most so many helpers. One that fails or dies is no loss: what it held is free for others to encode."""

    def __init__(self, most: int) -> None:
        self.started = most <= 0
        """Whether there is nothing left to start."""
        self._most = most
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, takes: Mapping[str, EncodingItem], checkpoint: Path, store: Path, device: object) -> None:
        self.started = True
        job = pickle.dumps(EncodeJob(takes, checkpoint, store, str(device)))
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
        command = [sys.executable, "-m", "trainable.qwen3_tts.data.encode_workers"]
        for _ in range(self._most):
            with contextlib.suppress(OSError):
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                )
                self._processes.append(process)
                # Left open: see `_end_with_the_parent`.
                process.stdin.write(job)
                process.stdin.flush()

    def finish(self) -> int:
        """Sends the helpers home once nothing is left. Returns how many takes they encoded, as far as they told."""
        encoded = 0
        for process in self._processes:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired, ValueError):
                told, _ = process.communicate(timeout=PATIENCE_SECONDS)
                encoded += int(told)
        return encoded

    def __enter__(self) -> EncodeWorkers:
        return self

    def __exit__(self, *problem: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.stdout.close()


def help_out(job: EncodeJob, on_take: Callable[[int], None]) -> None:
    """Goes over the buckets until none is free that lacks codes."""
    import torch

    from trainable.qwen3_tts.data.code_store import CodeStore
    from trainable.qwen3_tts.data.codec import Codec
    from trainable.qwen3_tts.data.encode import buckets_of, encode_free

    store, codec = CodeStore(job.store), Codec(job.checkpoint, torch.device(job.device))
    store.refresh()
    encode_free(buckets_of(job.takes), store, codec.encode, on_take)


def main() -> None:
    """Reads a job from standard input, and prints how many takes were encoded when that is closed."""
    job = pickle.load(sys.stdin.buffer)
    takes: list[int] = []
    watching = threading.Thread(target=_end_with_the_parent, args=(takes, sys.stdout), daemon=True)
    watching.start()
    # Libraries talk while they are imported; what is printed here is a number alone.
    with contextlib.redirect_stdout(io.StringIO()):
        help_out(job, takes.append)
        watching.join()


def _end_with_the_parent(takes: list[int], out: TextIO) -> None:
    """Its end of the pipe closes when it needs no more help, and when it is gone, however it went."""
    sys.stdin.buffer.read()
    with contextlib.suppress(OSError):
        print(len(takes), file=out, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
