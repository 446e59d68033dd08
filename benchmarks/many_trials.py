"""CPU time and memory of the driver per trial, over a growing number of trials.

    python -m benchmarks.many_trials [--trials 500]

The toy search on benches, in a process of its own. Its trials do nothing but bookkeeping, so costs that grow with the
number of trials show. Each row is a tenth of the trials. "Driver" is the process of the search: Ray Tune's loop, the
searcher, the ledger, TensorBoard and the view.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe_machine

ROOT = Path(__file__).parent.parent
ROWS = 10
POLL_SECONDS = 0.2
ENDED = b'"entry":"trial_ended"'


@dataclass(frozen=True)
class DriverSample:
    """The driver's use of time and memory when so many trials had ended."""

    ended: int
    wall: float
    cpu: float
    memory: int
    """Bytes, resident."""


def bench(trials: Annotated[int, typer.Option(min=2 * ROWS)] = 500) -> None:
    """Print the table."""
    samples = _watch(trials)
    table = Table("trials", "seconds per trial", "driver's CPU per trial, ms", "driver's memory, MiB", "KiB per trial")
    for before, after in zip(samples, samples[1:], strict=False):
        count = after.ended - before.ended
        table.add_row(
            f"{before.ended}–{after.ended}",
            f"{(after.wall - before.wall) / count:.2f}",
            f"{1000 * (after.cpu - before.cpu) / count:.0f}",
            f"{after.memory / 2**20:.0f}",
            f"{(after.memory - before.memory) / 2**10 / count:.0f}",
        )
    Console().print(table, describe_machine(), sep="\n")


def _watch(trials: int) -> list[DriverSample]:
    """A sample at every tenth of the trials, from the first ended trial on."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.one_search", "toy", folder, str(trials)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        ledger = Path(folder) / "run" / "ledger.jsonl"
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        driver, samples, started = psutil.Process(process.pid), [], time.perf_counter()
        counted, read = 0, 0
        while process.poll() is None and counted < trials:
            if ledger.is_file():
                with ledger.open("rb") as file:
                    file.seek(read)
                    new = file.read()
                whole = new[: new.rfind(b"\n") + 1]
                counted, read = counted + whole.count(ENDED), read + len(whole)
            if counted and (not samples or counted >= samples[-1].ended + trials // ROWS or counted == trials):
                own = driver.cpu_times()
                memory = driver.memory_info().rss
                samples.append(DriverSample(counted, time.perf_counter() - started, own.user + own.system, memory))
            time.sleep(POLL_SECONDS)
        process.wait()
    return samples


if __name__ == "__main__":
    typer.run(bench)
