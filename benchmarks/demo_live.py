"""A few real searches of the demo voice, compared with the prediction of the replay.

    python -m benchmarks.demo_live [--seeds 3]

Runs the search command one trial at a time until the first accepted adapter, and TPE on the final loss, which trains
every draw to its end and then probes it. Seconds are wall time of training and probes on one core of a CPU, so other
programs on the machine add to them.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.contest import NEVER, OURS, TUNERS, Unit
from benchmarks.demo_record import FILE, read_record
from benchmarks.demo_replay import search_with_all
from benchmarks.demo_trainer import DemoTrainer, TrainingHistory
from benchmarks.demo_world import manual_recipe_of
from benchmarks.machine import describe_machine
from benchmarks.search_cost import PROBE_EPOCHS, SearchCost
from benchmarks.tuners import ProbeEvent
from benchmarks.worlds import ManualRecipe, ProbeOutcome, TrainingRun
from results.run.ledger import History, read_ledger
from search.checking.checks import check_plan
from search.driver import run_search
from search.planning.arguments import Arguments
from search.planning.execution_mode import ExecutionMode
from search.planning.plan import LOCAL, Plan, make_plan
from spaces.cli import exit_on_input_error
from spaces.draw import Draw
from spaces.records.trial import Outcome
from spaces.space import Space, load_space

PEER = "TPE on the final loss"
MAX_TRIALS = 30
REPLAYS = 30


class LiveVoice:
    """The demo voice, trained on demand. See `benchmarks.worlds.SearchProblem`."""

    def __init__(self, space: Space, trainer: DemoTrainer) -> None:
        self.space, self._trainer = space, trainer
        self._histories: dict[int, TrainingHistory] = {}

    @property
    def clips(self) -> int:
        return self._trainer.clips

    @property
    def manual_recipe(self) -> ManualRecipe:
        return manual_recipe_of(self.space)

    def run(self, draw: Draw, number: int) -> TrainingRun:
        history = self._histories[number] = self._trainer.train([draw])[0]
        steps_per_epoch = (len(history.losses) - 1) // draw.epochs
        return TrainingRun(history.losses, history.losses, history.seconds, steps_per_epoch)

    def probe(self, draw: Draw, true: float, number: int, step: int) -> ProbeOutcome:
        probed = self._trainer.probe_adapters([draw], [self._histories[number].weights[step]])[0]
        return ProbeOutcome(probed.verdict.accepted, probed.verdict.score, probed.mended_by, probed.seconds)


def live(
    seeds: Annotated[int, typer.Option(min=1, help="searches of each kind")] = 3,
    record: Annotated[Path, typer.Option(help="the reference set that the replay reads")] = FILE,
) -> None:
    """Print measured and predicted costs."""
    console, space = Console(), load_space("demo")
    table = Table("", "epochs to the first accepted", "seconds", "predicted epochs", "predicted seconds")
    with exit_on_input_error(), TemporaryDirectory() as name:
        predicted = [search_with_all(space, read_record(record), seed, (OURS, PEER)) for seed in range(REPLAYS)]
        folder, shown = Path(name), Console(stderr=True)
        trainer = DemoTrainer(space, folder / "trainer", 1, time.perf_counter)
        turns = track(range(seeds), "searching", console=shown, transient=True)
        seen = [
            {OURS: cost_of_search(folder / str(seed), seed), PEER: first_of_peer(LiveVoice(space, trainer), seed)}
            for seed in turns
        ]
    for tuner in (OURS, PEER):
        firsts = [result[tuner].first for result in predicted]
        table.add_row(tuner, *(_list([each[tuner] for each in seen], unit) for unit in Unit), *_quartiles(firsts))
    console.print(table, describe_machine(), sep="\n")


def cost_of_search(folder: Path, seed: int) -> SearchCost:
    """Cost of a search until its first accepted adapter, without finalists."""
    typed = Arguments(
        space="demo",
        out=folder / "run",
        seed=seed,
        trials=MAX_TRIALS,
        accept=1,
        mode=ExecutionMode(seats=1, max_benches=1),
        address=LOCAL,
    )
    plan = _without_finalists(make_plan(typed, datetime.now(), {}))
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        run_search(*check_plan(plan), Console(file=nowhere))
    return spent_to_first(read_ledger(plan.run.ledger))


def spent_to_first(history: History) -> SearchCost:
    """Cost until the first accepted trial, in the order in which trials ended."""
    spent = SearchCost()
    for outcome in history.outcomes.values():
        spent += spent_on(outcome)
        if outcome.accepted:
            return spent
    return NEVER


def spent_on(outcome: Outcome) -> SearchCost:
    probes = sum(verdict is not None for verdict in (outcome.verdict, outcome.other_verdict))
    return SearchCost((outcome.point.epoch if outcome.point else 0.0) + PROBE_EPOCHS * probes, outcome.gpu_seconds)


def first_of_peer(voice: LiveVoice, seed: int) -> SearchCost:
    events = (each for _, each in zip(range(2 * MAX_TRIALS), TUNERS[PEER](voice, seed), strict=False))
    return next((each.spent for each in events if isinstance(each, ProbeEvent) and each.accepted), NEVER)


def _without_finalists(plan: Plan) -> Plan:
    probe = plan.space.probe.model_copy(update={"finalists": 0})
    return dataclasses.replace(plan, space=plan.space.model_copy(update={"probe": probe}))


def _list(spent: Sequence[SearchCost], unit: Unit) -> str:
    values = sorted(getattr(each, unit) for each in spent)
    return ", ".join("never" if math.isinf(value) else f"{value:.1f}" for value in values)


def _quartiles(firsts: Sequence[SearchCost]) -> list[str]:
    cells = []
    for unit in Unit:
        low, middle, high = np.percentile([getattr(each, unit) for each in firsts], (25, 50, 75), method="lower")
        cells.append(f"{middle:.1f} ({low:.1f}–{high:.1f})")
    return cells


if __name__ == "__main__":
    typer.run(live)
