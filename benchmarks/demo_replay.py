"""Seconds and epochs until a search of the demo voice has an accepted adapter, and until it has nearly the best one.

    python -m benchmarks.demo_replay [--seeds 30] [--record FILE]

Nothing is trained: the reference set of `benchmarks.demo_reference` answers every draw. Seconds are the time of one
core for that draw alone, training and probes, as recorded in a pack on a CPU.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import optuna
import typer
from rich.console import Console
from rich.progress import track

from benchmarks.contest import PLAIN, TUNERS, Limits, Result, Unit, measure
from benchmarks.contest_table import Results, table_of, targets
from benchmarks.demo_record import FILE, Record, read_record
from benchmarks.demo_world import RecordedVoice, best_of
from spaces.cli import exit_on_input_error
from spaces.errors import InputError
from spaces.space import Space, load_space

EQUAL_SECONDS = (30.0, 120.0)
LIMITS = Limits(float("inf"), EQUAL_SECONDS, Unit.SECONDS)


def replay(
    seeds: Annotated[int, typer.Option(min=1, help="searches by each tuner")] = 30,
    record: Annotated[Path, typer.Option(help="the reference set")] = FILE,
) -> None:
    """Print the table."""
    started, console = time.perf_counter(), Console(width=170)
    with exit_on_input_error():
        reference = read_record(record)
        shown = track(range(seeds), "searching", console=Console(stderr=True), transient=True)
        results = [search_with_all(load_space(reference.made.space), reference, seed) for seed in shown]
    title = f"demo voice: {seeds} searches of {len(reference.draws)} recorded draws"
    console.print(table_of(title, results, LIMITS, list(Unit)))
    for unit in Unit:
        for line in targets(results, unit, fruitless_cost(results, unit)):
            console.print(line)
    console.print(describe_record(reference), f"{time.perf_counter() - started:.0f} s", sep="\n", highlight=False)


def search_with_all(space: Space, record: Record, seed: int, names: Sequence[str] = tuple(TUNERS)) -> dict[str, Result]:
    """Each of these tuners searches the recorded voice once. Raises InputError where no checkpoint was accepted."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    best = best_of(record)
    if not best:
        raise InputError("nothing in this record was accepted: record more draws")
    return {name: measure(RecordedVoice(space, record), name, seed, LIMITS, best) for name in names}


def fruitless_cost(results: Results, unit: Unit) -> float:
    """Cost of the whole record for the plain tuner that is cheapest on it."""
    return min(float(np.median([getattr(each[name].whole, unit) for each in results])) for name in PLAIN)


def describe_record(record: Record) -> str:
    """One line on the difficulty of the record."""
    epoch = np.mean([draw.seconds[-1] / record.made.epochs for draw in record.draws])
    full = [each for draw in record.draws for each in draw.heard if each.lines == _most_lines(record)]
    last = [draw.nearest(len(draw.losses) - 1).accepted for draw in record.draws]
    reached = [any(each.accepted for each in draw.heard) for draw in record.draws]
    return (
        f"an epoch takes {epoch:.2f} s of one core, a whole probe {np.mean([each.seconds for each in full]):.2f} s; "
        f"{sum(reached)} of {len(record.draws)} draws are accepted somewhere, {sum(last)} at their last epoch; best "
        f"{best_of(record):.3f}"
    )


def _most_lines(record: Record) -> int:
    return max(each.lines for draw in record.draws for each in draw.heard)


if __name__ == "__main__":
    typer.run(replay)
