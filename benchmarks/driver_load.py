"""CPU and memory of the driver's node with 8, 16 and 32 seats taken, and extrapolated to 64.

    python -m benchmarks.driver_load [--benches 1 --benches 2 --benches 4] [--seats 8] [--rounds 3]

The toy search on local Ray nodes with one bench each. A step waits as long as one of a real model, so all seats are
taken all the time and training takes almost no CPU. "Driver" is the process of the search: Ray Tune's loop, the
searcher, the ledger, TensorBoard. "Functions" are the light processes that Ray Tune runs per trial, also on the
driver's node; their memory is their proportional set size. Measured from the moment when all seats are taken until a
quarter of the last trials is left.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe_machine
from results.run.run_folder import RunFolder
from tests.soak.chaos_driver import Driver, toy_command
from tests.soak.chaos_records import records
from tests.support.ray_nodes import Nodes

POLL_SECONDS = 1.0
EXTRAPOLATED_SEATS = 64
MIB = 2**20


@dataclass(frozen=True)
class DriverLoad:
    """The cost of so many taken seats."""

    seats: int
    trials: int
    """That ended during the measurement."""
    driver_cpu: float
    """Seconds of CPU per second."""
    trial_cpu: float
    """Seconds of CPU of the driver per trial."""
    driver_memory: float
    """Bytes, resident, at the end."""
    function_memory: float
    """Peak bytes of all functions together."""


def bench(
    benches: Annotated[list[int] | None, typer.Option(min=1, help="how many, one row each")] = None,
    seats: Annotated[int, typer.Option(min=1, help="of each bench")] = 8,
    rounds: Annotated[int, typer.Option(min=2, help="trials per seat")] = 3,
) -> None:
    """Print the table."""
    loads = [_measure(count, seats, rounds) for count in benches or [1, 2, 4]]
    table = Table("seats", "trials", "driver, cores", "driver, s per trial", "driver, MiB", "functions, MiB")
    for load in loads:
        table.add_row(str(load.seats), str(load.trials), *_cells(load))
    if len(loads) > 1:
        extrapolated = _extrapolate(loads)
        table.add_row(f"{EXTRAPOLATED_SEATS}, by the line", "", *_cells(extrapolated))
    Console().print(table, describe_machine(), sep="\n")


def _cells(load: DriverLoad) -> tuple[str, ...]:
    return (
        f"{load.driver_cpu:.3f}",
        f"{load.trial_cpu:.2f}",
        f"{load.driver_memory / MIB:.0f}",
        f"{load.function_memory / MIB:.0f}",
    )


def _extrapolate(loads: Sequence[DriverLoad]) -> DriverLoad:
    """A least-squares line for each figure."""

    def at(of: str) -> float:
        slope, start = np.polyfit([load.seats for load in loads], [getattr(load, of) for load in loads], 1)
        return float(start + slope * EXTRAPOLATED_SEATS)

    return DriverLoad(
        EXTRAPOLATED_SEATS, 0, at("driver_cpu"), at("trial_cpu"), at("driver_memory"), at("function_memory")
    )


def _measure(benches: int, seats: int, rounds: int) -> DriverLoad:
    taken = benches * seats
    trials = taken * rounds
    with TemporaryDirectory() as folder, Nodes() as nodes:
        for _ in range(benches):
            nodes.add()
        run, command = RunFolder(Path(folder) / "run"), toy_command(Path(folder), trials, nodes.address, seats=seats)
        with Driver(command, Path(folder) / "driver.log", resume=False) as driver:
            process = psutil.Process(driver.pid)
            _wait(driver, lambda: len(records(run).drawn) >= taken)
            functions = 0.0
            started, cpu, before = time.monotonic(), _cpu(process), len(records(run).ended)
            while driver.is_running and (ended := len(records(run).ended)) < trials - taken // 4:
                functions = max(functions, sum(_memory(each) for each in nodes.workers("ImplicitFunc")))
                time.sleep(POLL_SECONDS)
            spent, seconds = _cpu(process) - cpu, time.monotonic() - started
            return DriverLoad(
                taken, ended - before, spent / seconds, spent / (ended - before), process.memory_info().rss, functions
            )


def _wait(driver: Driver, until) -> None:
    while not until():
        if not driver.is_running:
            raise typer.Exit(driver.wait(0))
        time.sleep(POLL_SECONDS)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _memory(process: psutil.Process) -> float:
    try:
        return process.memory_full_info().pss
    except psutil.Error:
        return 0.0


if __name__ == "__main__":
    typer.run(bench)
