"""Epochs until a search has an accepted adapter, and until it has nearly the best one, in simulated worlds.

    python -m benchmarks.search_efficiency [--worlds 35] [--budget 1000] [--processes 2] [--setting noisy]

No torch, no Ray: trials are simulated, but the study, the stopping rule and the second chance are those of a search.
Seconds would be proportional to epochs, so they are left out; `benchmarks.demo_replay` has measured seconds.
"""

from __future__ import annotations

import itertools
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from typing import Annotated

import optuna
import typer
from rich.console import Console

from benchmarks.contest import TUNERS, Limits, Result, Unit, measure
from benchmarks.contest_table import Results, table_of, targets
from benchmarks.tuners import epoch_step
from benchmarks.worlds import AcceptanceRule, Setting, World
from search.proposals.distributions import shared_distributions, to_draw

REFERENCE_RUNS = 200
EQUAL_EPOCHS = (50.0, 200.0)


def best_of_reference(world: World) -> float:
    """The best accepted score of 200 random draws, each probed at every epoch end in the band."""
    space, best = world.space, 0.0
    band = space.band(space.objectives[0])
    sampler = optuna.samplers.RandomSampler(seed=world.number)
    study = optuna.create_study(sampler=sampler)
    for number in range(REFERENCE_RUNS):
        draw = to_draw(space, study.ask(shared_distributions(space)).params)
        run = world.run(draw, number)
        for epoch in range(1, draw.epochs + 1):
            step = epoch_step(run, epoch)
            if run.losses[step] not in band:
                continue
            result = world.probe(draw, float(run.true[step]), number, step)
            best = max(best, result.score if result.accepted else 0.0)
    return best


def measure_world(setting: Setting, number: int, budget: float) -> dict[str, Result]:
    """Every tuner in one world. Worlds of a setting take the acceptance rules in turn."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    world = World(setting, list(AcceptanceRule)[number % len(AcceptanceRule)], number)
    reference = best_of_reference(world)
    return {name: measure(world, name, number, limits(budget), reference) for name in TUNERS}


def limits(budget: float) -> Limits:
    return Limits(budget, EQUAL_EPOCHS, Unit.EPOCHS)


def main(
    worlds: int = 35,
    budget: float = 1000.0,
    processes: int = 2,
    setting: Annotated[list[Setting] | None, typer.Option(help="only these settings")] = None,
) -> None:
    """Print the tables: `worlds` per setting, at most `budget` epochs per tuner."""
    started, console = time.perf_counter(), Console(width=140)
    orders = list(itertools.product(setting or Setting, range(worlds)))
    found: dict[Setting, list[dict[str, Result]]] = {each: [] for each in setting or Setting}
    with ProcessPoolExecutor(processes) as pool:
        results = pool.map(measure_world, *zip(*orders, strict=True), itertools.repeat(budget))
        for (each, _), result in zip(orders, results, strict=True):
            found[each].append(result)
    for each, results in found.items():
        _print(console, each, results, budget)
    if len(found) > 1:
        _print(console, "all", list(itertools.chain.from_iterable(found.values())), budget)
    console.print(f"{len(orders)} worlds in {time.perf_counter() - started:.0f} s")


def _print(console: Console, title: str, results: Results, budget: float) -> None:
    console.print(table_of(f"{title}: {len(results)} worlds", results, limits(budget), [Unit.EPOCHS]))
    for line in targets(results, Unit.EPOCHS, budget):
        console.print(line)


if __name__ == "__main__":
    typer.run(main)
