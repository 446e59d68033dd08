"""A search on several nodes, of which a random one is killed and brought back again and again: every trial ends once,
and nothing is left in Ray.

    python -m tests.soak.node_soak                            200 toy trials on 4 nodes, a node every 30 seconds
    python -m tests.soak.node_soak --trials 20 --nodes 2      a short one

Ledger, folders and the Optuna study are compared at the end, and each trial with the same trial run by itself. Actors
and placement groups are counted by Ray's state API, open files of Ray's own processes on the head, and of the search's
process, by psutil. Exit code 1 on any difference or leak.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer

from results.run.run_folder import RunFolder
from tests.soak.chaos_driver import Driver, toy_command
from tests.soak.chaos_records import Inconsistent, compare_study, compare_with_undisturbed, records
from tests.support.frail_family import SLOW
from tests.support.ray_nodes import Nodes

LONGEST_SECONDS = 6 * 3600.0
SETTLING_SECONDS = 90.0
"""For Ray to notice that a search has ended."""
SLACK = 40
"""How many more files a process may have open than before: connections to replaced nodes close late."""
LOGS = "log_monitor"
MAX_LOGS = 200
"""Ray's log monitor keeps up to so many files open in any case."""


def soak(folder: Path, trials: int, count: int, every: float, seats: int, seed: int, say=print) -> str:
    """Runs the search in `folder`; returns a summary. Raises Inconsistent with what is lost, doubled or left over."""
    chance, run = random.Random(seed), RunFolder(folder / "run")
    with Nodes() as nodes:
        alive = [nodes.add() for _ in range(count)]
        before = nodes.counts()
        command = toy_command(folder, trials, nodes.address, seats=seats)
        with Driver(command, folder / "driver.log", resume=False) as driver:
            killed, handles = _disturb(nodes, alive, driver, run, every, chance, say)
            code = driver.wait(LONGEST_SECONDS)
            if code not in (0, 3):
                raise Inconsistent(f"the search ended with code {code}:\n{driver.said()[-3000:]}")
        after = _settled(nodes)
    _check_leaks(before, after, handles)
    left = records(run)
    left.check_continues(left)
    left.check_complete(trials)
    compare_study(folder, run)
    (run.path / SLOW).unlink(missing_ok=True)
    compare_with_undisturbed(folder, run)
    return (
        f"{len(left.ended)} trials ended once, {killed} nodes killed; left in Ray: {after['actors']} actors, "
        f"{after['groups']} placement groups; open files of Ray's processes {before['handles']}, then "
        f"{after['handles']}; of the search's process {handles[0]} at the first ending, {handles[-1]} at the last"
    )


def _disturb(
    nodes: Nodes, alive: list[str], driver: Driver, run: RunFolder, every: float, chance: random.Random, say
) -> tuple[int, list[int]]:
    """Kills nodes until the search is over. Returns how many, and the open files of its process after each ending."""
    killed, due, ended, handles = 0, time.monotonic() + every, 0, []
    while driver.is_running:
        time.sleep(0.5)
        now_ended = len(records(run).ended)
        if now_ended > ended:
            ended = now_ended
            try:
                handles.append(psutil.Process(driver.pid).num_fds())
            except psutil.Error:
                break
        if time.monotonic() < due or not ended:
            continue
        node = chance.choice(alive)
        nodes.kill(node)
        nodes.add(again=node)
        killed, due = killed + 1, time.monotonic() + every
        say(f"{ended} trials ended; node {node} was killed and is back")
    return killed, handles


def _settled(nodes: Nodes) -> dict:
    deadline = time.monotonic() + SETTLING_SECONDS
    while True:
        counted = nodes.counts()
        if not (counted["actors"] or counted["groups"]) or time.monotonic() > deadline:
            return counted
        time.sleep(1)


def _check_leaks(before: dict, after: dict, handles: list[int]) -> None:
    problems = [f"{after[what]} {what} are left" for what in ("actors", "groups") if after[what]]
    problems += [
        f"{name} had {before['handles'][name]} files open, and has {now}"
        for name, now in after["handles"].items()
        if now > before["handles"][name] + (MAX_LOGS if name == LOGS else SLACK)
    ]
    if handles[-1] > handles[0] + SLACK:
        problems.append(f"the search's process had {handles[0]} files open, and then {handles[-1]}")
    if problems:
        raise Inconsistent("\n".join(problems))


def main(
    trials: Annotated[int, typer.Option(min=2)] = 200,
    nodes: Annotated[int, typer.Option(min=2)] = 4,
    every: Annotated[float, typer.Option(min=1, help="seconds between two kills")] = 30.0,
    seats: Annotated[int, typer.Option(min=1, help="of each node's bench")] = 2,
    seed: Annotated[int, typer.Option()] = 1,
    folder: Annotated[Path | None, typer.Option(help="new folder; without it a temporary one")] = None,
) -> None:
    """Kill nodes under a search over and over, and check that nothing is lost, done twice or left over."""
    where = folder or Path(tempfile.mkdtemp(prefix="node-soak-"))
    where.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    try:
        told = soak(where, trials, nodes, every, seats, seed)
    except Inconsistent as error:
        typer.secho(f"{error}\nits files: {where}", err=True, fg="red")
        raise typer.Exit(1) from None
    typer.echo(f"{told} ({(time.monotonic() - started) / 60:.1f} min, seed {seed}, {psutil.cpu_count()} cores)")


if __name__ == "__main__":
    typer.run(main)
