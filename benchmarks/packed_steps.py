"""Adapter-steps per second: K adapters in one pack against K separate PEFT models, one after the other.

    python -m benchmarks.packed_steps [--shape launch|larger] [--seconds 20]

`launch` has the layer counts of the real 1.7B model but almost no arithmetic, like a small batch on a GPU; in `larger`
arithmetic dominates. A step is a forward and a backward pass over one clip, clipping and AdamW. Both are timed in turns
in the same process on one thread; the best turn of each counts. Operations are torch operations that are not views,
about one GPU kernel each; AdamW is left out, because on a CPU it loops over tensors.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.contestants import SHAPE, SHAPES, contestants, fill, forward_and_backward, step
from benchmarks.machine import describe_machine, peak_bytes
from trainable.qwen3_tts.packed.seats_that_fit import seat_bytes

SEATS = (1, 2, 4, 8)


def bench(
    shape: Annotated[str, typer.Option(help=" or ".join(SHAPES))] = "launch",
    seconds: Annotated[float, typer.Option(help="for each number of seats")] = 20.0,
) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    headings = ("seats", "PEFT, one by one", "pack", "times", "operations per step: PEFT", "pack")
    table = Table(*headings, title=f"{shape}: {SHAPES[shape].description}; adapter-steps/s")
    with contestants(SHAPES[shape]) as (peft, pack):
        expected = seat_bytes(pack, SHAPE)
        peaks = []
        for seats in SEATS:
            fill(pack, seats)
            one, packed = _in_turns(lambda: step(peft, 1), lambda n=seats: step(pack, n), seconds)
            peaks.append(peak_bytes())
            operations = _operations(lambda n=seats: forward_and_backward(pack, n)) / seats
            table.add_row(
                str(seats),
                f"{1 / one:.2f}",
                f"{seats / packed:.2f}",
                f"{seats * one / packed:.1f}",
                f"{_operations(lambda: forward_and_backward(peft, 1))}",
                f"{operations:.0f}",
            )
    measured = (peaks[-1] - peaks[0]) / (SEATS[-1] - SEATS[0])
    memory = f"memory per seat: {measured / 2**20:.1f} MiB measured, {expected / 2**20:.1f} estimated"
    Console().print(table, memory, describe_machine(), sep="\n")


def _in_turns(one: Callable[[], None], other: Callable[[], None], seconds: float) -> tuple[float, float]:
    """The fastest run of each in seconds, taking turns for so many seconds."""
    best = {one: float("inf"), other: float("inf")}
    until = time.perf_counter() + seconds
    for work in best:
        work()
    while time.perf_counter() < until:
        for work in best:
            started = time.perf_counter()
            work()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            best[work] = min(best[work], time.perf_counter() - started)
    return best[one], best[other]


class _Counter(TorchDispatchMode):
    """Counts torch operations that are not views."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += not function.is_view
        return function(*args, **(kwargs or {}))


def _operations(work: Callable[[], None]) -> int:
    with _Counter() as counter:
        work()
    return counter.count


if __name__ == "__main__":
    typer.run(bench)
