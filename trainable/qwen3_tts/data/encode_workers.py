"""Worker processes that help to encode, each with the codec alone."""

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
EXIT_TIMEOUT_SECONDS = 60.0
"""For a worker to exit when it is asked to."""


@dataclass(frozen=True)
class EncodeJob:
    """The work of one worker: the items, whose codes go into the store."""

    items: Mapping[str, EncodingItem]
    checkpoint: Path
    store: Path
    device: str


class EncodeWorkers:
    """Up to `limit` workers. If one fails or dies, its lock is freed and other processes encode its items."""

    def __init__(self, limit: int) -> None:
        self.started = limit <= 0
        """Whether there are no more workers to start."""
        self._limit = limit
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, items: Mapping[str, EncodingItem], checkpoint: Path, store: Path, device: object) -> None:
        self.started = True
        job = pickle.dumps(EncodeJob(items, checkpoint, store, str(device)))
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
        command = [sys.executable, "-m", "trainable.qwen3_tts.data.encode_workers"]
        for _ in range(self._limit):
            with contextlib.suppress(OSError):
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                )
                self._processes.append(process)
                # Stays open: see `_exit_with_parent`.
                process.stdin.write(job)
                process.stdin.flush()

    def finish(self) -> int:
        """Asks the workers to exit. Returns how many items they encoded, counting those that answered."""
        encoded = 0
        for process in self._processes:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired, ValueError):
                output, _ = process.communicate(timeout=EXIT_TIMEOUT_SECONDS)
                encoded += int(output)
        return encoded

    def __enter__(self) -> EncodeWorkers:
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.stdout.close()


def run_job(job: EncodeJob, on_item: Callable[[int], None]) -> None:
    """Encodes the missing items of every bucket that no other process holds."""
    import torch

    from trainable.qwen3_tts.data.code_store import CodeStore
    from trainable.qwen3_tts.data.codec import Codec
    from trainable.qwen3_tts.data.encode import buckets_of, encode_unlocked

    store, codec = CodeStore(job.store), Codec(job.checkpoint, torch.device(job.device))
    store.refresh()
    encode_unlocked(buckets_of(job.items), store, codec.encode, on_item)


def main() -> None:
    """Reads a job from standard input. Prints the number of encoded items when standard input is closed."""
    job = pickle.load(sys.stdin.buffer)
    encoded: list[int] = []
    watcher = threading.Thread(target=_exit_with_parent, args=(encoded, sys.stdout), daemon=True)
    watcher.start()
    # Libraries print while they are imported; the parent expects a single number.
    with contextlib.redirect_stdout(io.StringIO()):
        run_job(job, encoded.append)
        watcher.join()


def _exit_with_parent(encoded: list[int], out: TextIO) -> None:
    """The pipe closes when the parent asks the worker to exit, and when the parent is gone for any reason."""
    sys.stdin.buffer.read()
    with contextlib.suppress(OSError):
        print(len(encoded), file=out, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
