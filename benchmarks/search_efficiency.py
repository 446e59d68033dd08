"""Epochs until a search has an accepted adapter, and until it has nearly the best one, in made-up worlds.

    python -m benchmarks.search_efficiency [--worlds 35] [--budget 1000] [--processes 2]

No torch, no Ray: trials are made up, and the study, the band's rule and the second chance are those of a search.
"""

from __future__ import annotations

import itertools
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import optuna
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.tuners import Probe, Tuner, asha, asha_probing, at_random, epoch_step, guide, ours, tpe, tpe_probing
from benchmarks.worlds import Setting, Taste, World
from search.domains import distributions, to_draw

TUNERS: dict[str, Tuner] = {
    "random": at_random,
    "TPE on the final loss": tpe,
    "ASHA + TPE": asha,
    "TPE, probing along the curve": tpe_probing,
    "ASHA + TPE, probing along the curve": asha_probing,
    "the guide's way": guide,
    "ours": ours,
}
PLAIN = ("random", "TPE on the final loss", "ASHA + TPE")
REFERENCE_RUNS = 200
NEARLY = 0.98
EQUAL_EPOCHS = (50, 200)


@dataclass(frozen=True)
class Result:
    """What one tuner came to in one world; infinite where it never did."""

    first: float
    nearly_best: float
    best_at: tuple[float, ...]
    """Best accepted score after each of EQUAL_EPOCHS, as a share of the reference's; 0 without one."""


def best_of_reference(world: World) -> float:
    """The best accepted score of so many random draws, every epoch end of each that is in the band listened to."""
    space, best = world.space, 0.0
    band = space.band(space.objectives[0])
    sampler = optuna.samplers.RandomSampler(seed=world.number)
    study = optuna.create_study(sampler=sampler)
    for number in range(REFERENCE_RUNS):
        draw = to_draw(space, study.ask(distributions(space)).params)
        run = world.run(draw, number)
        for epoch in range(1, draw.epochs + 1):
            step = epoch_step(run, epoch)
            if run.losses[step] not in band:
                continue
            sound = world.sound(draw, float(run.true[step]), number, step)
            best = max(best, sound.score if sound.accepted else 0.0)
    return best


def measure(world: World, name: str, budget: float, reference: float) -> Result:
    accepted: list[Probe] = []
    for said in TUNERS[name](world, world.number):
        if isinstance(said, Probe):
            accepted += [said] if said.accepted and said.spent <= budget else []
        elif said >= budget:
            break
        if accepted and accepted[-1].score >= NEARLY * reference and accepted[-1].spent > EQUAL_EPOCHS[-1]:
            break
    first = min((probe.spent for probe in accepted), default=math.inf)
    nearly = min((probe.spent for probe in accepted if probe.score >= NEARLY * reference), default=math.inf)
    at = tuple(
        max((probe.score for probe in accepted if probe.spent <= epochs), default=0.0) / reference
        for epochs in EQUAL_EPOCHS
    )
    return Result(first, nearly, at)


def measure_world(setting: Setting, number: int, budget: float) -> dict[str, Result]:
    """Every tuner in one world. Worlds of a setting take the tastes in turn."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    world = World(setting, list(Taste)[number % len(Taste)], number)
    reference = best_of_reference(world)
    return {name: measure(world, name, budget, reference) for name in TUNERS}


def main(worlds: int = 35, budget: float = 1000.0, processes: int = 2) -> None:
    """`worlds` per setting; a tuner that has not got there within `budget` epochs has missed."""
    started, console = time.perf_counter(), Console(width=140)
    orders = list(itertools.product(Setting, range(worlds)))
    found: dict[Setting, list[dict[str, Result]]] = {setting: [] for setting in Setting}
    with ProcessPoolExecutor(processes) as pool:
        results = pool.map(measure_world, *zip(*orders, strict=True), itertools.repeat(budget))
        for (setting, _), result in zip(orders, results, strict=True):
            found[setting].append(result)
    for setting, results in found.items():
        _print(console, setting, results, budget)
    _print(console, "all", list(itertools.chain.from_iterable(found.values())), budget)
    console.print(f"{len(orders)} worlds in {time.perf_counter() - started:.0f} s")


def _print(console: Console, title: str, results: Sequence[dict[str, Result]], budget: float) -> None:
    table = Table(title=f"{title}: {len(results)} worlds")
    table.add_column("")
    for heading in (
        "first accepted",
        "missed",
        "within 2 % of best",
        "missed",
        *(f"best at {at}" for at in EQUAL_EPOCHS),
    ):
        table.add_column(heading, justify="right")
    for name in TUNERS:
        own = [result[name] for result in results]
        best = [f"{np.median([each.best_at[place] for each in own]):.3f}" for place in range(len(EQUAL_EPOCHS))]
        table.add_row(name, *_spread([e.first for e in own]), *_spread([e.nearly_best for e in own]), *best)
    console.print(table)
    for line in _targets(results, budget):
        console.print(line)


def _targets(results: Sequence[dict[str, Result]], budget: float) -> Iterator[str]:
    """What was aimed at, and whether it was met. Who missed has spent the budget: a ratio to that is a lower bound."""
    for what, field, share in (("first accepted", "first", 10), ("within 2 % of the best", "nearly_best", 8)):
        middle = {name: _quartiles([getattr(result[name], field) for result in results])[1] for name in TUNERS}
        plain = min(middle[name] for name in PLAIN)
        ratio, bound = min(plain, budget) / middle["ours"], "at least " if plain > budget else ""
        yield f"{what}: {bound}{ratio:.1f} times fewer epochs than any plain tuner, of {share}: {_met(ratio >= share)}"
        if field == "first":
            peers = min(value for name, value in middle.items() if name != "ours")
            yield f"  no more than any peer's {peers:.1f}: {_met(middle['ours'] <= peers)}"
            missed = sum(math.isinf(result["ours"].first) for result in results)
            yield f"  worlds where ours never gets there, none: {missed}: {_met(missed == 0)}"


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


def _quartiles(values: Sequence[float]) -> list[float]:
    return [float(np.percentile(values, share, method="lower")) for share in (25, 50, 75)]


def _spread(values: Sequence[float]) -> tuple[str, str]:
    low, middle, high = _quartiles(values)
    return f"{middle:.1f} ({low:.1f}–{high:.1f})", str(sum(math.isinf(value) for value in values))


if __name__ == "__main__":
    typer.run(main)
