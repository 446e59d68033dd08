"""A search whose processes are killed at random moments, over and over: nothing is lost, nothing is done twice.

    python -m tests.soak.chaos --resumes 20             the toy search
    python -m tests.soak.chaos --resumes 20 --demo      the demo voice, through search/run.py

Each round starts or resumes the search, kills one process that it must outlive (a bench's worker, Ray Train's
controller, a trial's function, the broker), then one that ends it (the driver, Ray's raylet, Ray's GCS), each at a
random moment, and compares ledger and folders. The last round is undisturbed and must end the search. Then the Optuna
study is compared with the ledger, and each trial with the same trial run by itself. Exit code 1 on any difference.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer

from results.run.ledger import read_ledger
from results.run.run_folder import RunFolder
from tests.soak.chaos_driver import Driver, demo_command, toy_command
from tests.soak.chaos_records import Inconsistent, Records, compare_study, compare_with_undisturbed, records

INNER = {
    "bench worker": "RayTrainWorker",
    "Train controller": "TrainController",
    "trial function": "ImplicitFunc",
    "broker": "BenchBroker",
}
"""Processes that a search outlives, each with a part of its title."""
FATAL = {"driver": "", "raylet": "raylet", "GCS": "gcs_server"}
"""Processes whose death ends the search, which then has to be resumed."""
STARTING_SECONDS, ENDING_SECONDS, LINGERING_SECONDS = 600.0, 3600.0, 20.0


def chaos(folder: Path, resumes: int, seed: int, is_demo: bool, trials: int, say=print) -> Records:
    """Runs the rounds in `folder`; returns the records of the search. Raises Inconsistent."""
    chance = random.Random(seed)
    run = RunFolder(folder / "run")
    command = demo_command(run, trials) if is_demo else toy_command(folder, trials)
    inner, fatal = _in_turn(INNER, chance), _in_turn(FATAL, chance)
    before = records(run)
    for number in range(resumes + 1):
        with Driver(command, folder / f"driver-{number:02d}.log", number > 0) as driver:
            if number < resumes:
                killed = _disturb(driver, run, next(inner), next(fatal), chance)
            else:
                killed, code = [], driver.wait(ENDING_SECONDS)
                if code not in (0, 3):
                    raise Inconsistent(f"the search, left alone, ended with code {code}:\n{driver.said()[-3000:]}")
        after = records(run)
        after.check_continues(before)
        say(f"round {number}: killed {' and '.join(killed) or 'nothing'}; {len(after.ended)} of {trials} trials ended")
        before = after
    before.check_complete(trials)
    if not is_demo:
        compare_study(folder, run)
        compare_with_undisturbed(folder, run)
    return before


def _disturb(driver: Driver, run: RunFolder, inner: str, fatal: str, chance: random.Random) -> list[str]:
    """Kills both, unless the search ends before. Returns what was killed."""
    killed = []
    if chance.random() < 0.75:
        _wait_for_progress(driver, run)
        time.sleep(chance.uniform(0, 3))
        if driver.kill_one(INNER[inner], chance):
            killed.append(inner)
        _wait_for_progress(driver, run)
        time.sleep(chance.uniform(0, 3))
    else:
        # Also while it starts.
        time.sleep(chance.uniform(0, 15))
    if FATAL[fatal] == "" or not driver.kill_one(FATAL[fatal], chance):
        fatal = "driver"
    else:
        driver.wait_or_kill(LINGERING_SECONDS)
    driver.kill()
    return [*killed, fatal]


def _wait_for_progress(driver: Driver, run: RunFolder) -> None:
    """Until a curve has grown, or the search is over."""
    begun, deadline = _points(run), time.monotonic() + STARTING_SECONDS
    while driver.is_running and _points(run) <= begun:
        if time.monotonic() > deadline:
            raise Inconsistent(f"no trial makes progress:\n{driver.said()[-3000:]}")
        time.sleep(0.1)
        begun = min(begun, _points(run))


def _points(run: RunFolder) -> int:
    """Bytes of all curves."""
    found = 0
    for path in run.trials.glob("*/curve.jsonl"):
        try:
            found += path.stat().st_size
        except FileNotFoundError:
            continue
    return found


def _in_turn(names: dict[str, str], chance: random.Random):
    """Each name as often as the others, in random order."""
    while True:
        yield from chance.sample(sorted(names), len(names))


def main(
    resumes: Annotated[int, typer.Option(min=1)] = 20,
    seed: Annotated[int, typer.Option()] = 1,
    trials: Annotated[int | None, typer.Option(min=1, help="default: four more than resumes")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="the demo voice instead of the toy")] = False,
    folder: Annotated[Path | None, typer.Option(help="new folder; without it a temporary one")] = None,
) -> None:
    """Kill a search over and over, and check that nothing is lost or done twice."""
    where = folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    where.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    try:
        left = chaos(where, resumes, seed, demo, trials or resumes + 4)
    except Inconsistent as error:
        typer.secho(f"{error}\nits files: {where}", err=True, fg="red")
        raise typer.Exit(1) from None
    entries = read_ledger(RunFolder(where / "run").ledger)
    typer.echo(
        f"{resumes} resumes in {(time.monotonic() - started) / 60:.1f} min: {len(left.ended)} trials, "
        f"{sum(outcome.accepted for outcome in entries.outcomes.values())} accepted, nothing lost and nothing twice "
        f"(seed {seed}, {psutil.cpu_count()} cores)"
    )


if __name__ == "__main__":
    typer.run(main)
