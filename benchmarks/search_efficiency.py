"""Epochs until a search has an accepted adapter, and until it has nearly the best one, in made-up worlds.

    python -m benchmarks.search_efficiency [--worlds 35] [--budget 1000] [--processes 2] [--setting noisy]

No torch, no Ray: trials are made up, and the study, the band's rule and the second chance are those of a search. Within
a world, seconds would be epochs times clips, a probe one epoch, so that they would tell nothing that epochs do not;
`benchmarks.demo_replay` has seconds that were measured.
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
from benchmarks.worlds import Setting, Taste, World
from search.proposals.distributions import shared_distributions, to_draw

REFERENCE_RUNS = 200
EQUAL_EPOCHS = (50.0, 200.0)


def best_of_reference(world: World) -> float:
    """The best accepted score of so many random draws, every epoch end of each that is in the band listened to."""
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
            sound = world.sound(draw, float(run.true[step]), number, step)
            best = max(best, sound.score if sound.accepted else 0.0)
    return best


def measure_world(setting: Setting, number: int, budget: float) -> dict[str, Result]:
    """Every tuner in one world. Worlds of a setting take the tastes in turn."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    world = World(setting, list(Taste)[number % len(Taste)], number)
    reference = best_of_reference(world)
    return {name: measure(world, name, number, limits(budget), reference) for name in TUNERS}


def limits(budget: float) -> Limits:
    return Limits(budget, EQUAL_EPOCHS, Unit.EPOCHS)


def main(
    worlds: int = 35,
    budget: float = 1000.0,
    processes: int = 2,
    setting: Annotated[list[Setting] | None, typer.Option(help="these alone")] = None,
) -> None:
    """`worlds` per setting; a tuner that has not got there within `budget` epochs has missed."""
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
