"""A few searches of the demo voice that really train, beside what the replay foretold of them.

    python -m benchmarks.demo_live [--seeds 3]

A search as the command runs it, one trial at a time and to its first accepted adapter, and TPE on the final loss, which
trains every draw to its end and listens then with the same probe. Seconds are by the clock, as a trial's own GPU
seconds are: training and listening on one core of a CPU, so that other programs on the machine add to them.
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
from benchmarks.demo_studio import Course, Studio
from benchmarks.demo_world import habit_of
from benchmarks.machine import describe_machine
from benchmarks.spent import PROBE_EPOCHS, Spent
from benchmarks.tuners import Probe
from benchmarks.worlds import Habit, Run, Sound
from results.run.ledger import History, read_ledger
from search.checking.checks import check_plan
from search.driver import run_search
from search.planning.execution_mode import ExecutionMode
from search.planning.plan import LOCAL, Arguments, Plan, make_plan
from spaces.cli import exit_on_input_error
from spaces.draw import Draw
from spaces.records.trial import Outcome
from spaces.space import Space, load_space

PEER = "TPE on the final loss"
MOST_TRIALS = 30
REPLAYS = 30


class LiveVoice:
    """The demo voice, trained as it is asked for. See `benchmarks.worlds.Searched`."""

    def __init__(self, space: Space, studio: Studio) -> None:
        self.space, self._studio = space, studio
        self._courses: dict[int, Course] = {}

    @property
    def clips(self) -> int:
        return self._studio.clips

    @property
    def habit(self) -> Habit:
        return habit_of(self.space)

    def run(self, draw: Draw, number: int) -> Run:
        course = self._courses[number] = self._studio.train([draw])[0]
        steps_per_epoch = (len(course.losses) - 1) // draw.epochs
        return Run(course.losses, course.losses, course.seconds, steps_per_epoch)

    def sound(self, draw: Draw, true: float, number: int, step: int) -> Sound:
        heard = self._studio.listen([draw], [self._courses[number].weights[step]])[0]
        return Sound(heard.verdict.accepted, heard.verdict.score, heard.mended_by, heard.seconds)


def live(
    seeds: Annotated[int, typer.Option(min=1, help="searches of each kind")] = 3,
    record: Annotated[Path, typer.Option(help="the reference set that the replay reads")] = FILE,
) -> None:
    """Print what was seen and what was foretold."""
    console, space = Console(), load_space("demo")
    table = Table("", "epochs to the first accepted", "seconds", "foretold epochs", "foretold seconds")
    with exit_on_input_error(), TemporaryDirectory() as name:
        foretold = [search_with_all(space, read_record(record), seed, (OURS, PEER)) for seed in range(REPLAYS)]
        folder, shown = Path(name), Console(stderr=True)
        studio = Studio(space, folder / "studio", 1, time.perf_counter)
        turns = track(range(seeds), "searching", console=shown, transient=True)
        seen = [
            {OURS: searched(folder / str(seed), seed), PEER: first_of_peer(LiveVoice(space, studio), seed)}
            for seed in turns
        ]
    for tuner in (OURS, PEER):
        firsts = [result[tuner].first for result in foretold]
        table.add_row(tuner, *(_list([each[tuner] for each in seen], unit) for unit in Unit), *_quartiles(firsts))
    console.print(table, describe_machine(), sep="\n")


def searched(folder: Path, seed: int) -> Spent:
    """What a search spends until its first accepted adapter, finalists not counted."""
    typed = Arguments(
        space="demo",
        out=folder / "run",
        seed=seed,
        trials=MOST_TRIALS,
        accept=1,
        mode=ExecutionMode(seats=1, max_benches=1),
        address=LOCAL,
    )
    plan = _without_finalists(make_plan(typed, datetime.now(), {}))
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        run_search(plan, check_plan(plan), Console(file=nowhere))
    return spent_to_first(read_ledger(plan.run.ledger))


def spent_to_first(history: History) -> Spent:
    """Of the trials in the order in which they ended."""
    spent = Spent()
    for outcome in history.outcomes.values():
        spent += spent_on(outcome)
        if outcome.accepted:
            return spent
    return NEVER


def spent_on(outcome: Outcome) -> Spent:
    probes = sum(verdict is not None for verdict in (outcome.verdict, outcome.other_verdict))
    return Spent((outcome.point.epoch if outcome.point else 0.0) + PROBE_EPOCHS * probes, outcome.gpu_seconds)


def first_of_peer(voice: LiveVoice, seed: int) -> Spent:
    said = (each for _, each in zip(range(2 * MOST_TRIALS), TUNERS[PEER](voice, seed), strict=False))
    return next((each.spent for each in said if isinstance(each, Probe) and each.accepted), NEVER)


def _without_finalists(plan: Plan) -> Plan:
    probe = plan.space.probe.model_copy(update={"finalists": 0})
    return dataclasses.replace(plan, space=plan.space.model_copy(update={"probe": probe}))


def _list(spent: Sequence[Spent], unit: Unit) -> str:
    values = sorted(getattr(each, unit) for each in spent)
    return ", ".join("never" if math.isinf(value) else f"{value:.1f}" for value in values)


def _quartiles(firsts: Sequence[Spent]) -> list[str]:
    cells = []
    for unit in Unit:
        low, middle, high = np.percentile([getattr(each, unit) for each in firsts], (25, 50, 75), method="lower")
        cells.append(f"{middle:.1f} ({low:.1f}–{high:.1f})")
    return cells


if __name__ == "__main__":
    typer.run(live)
