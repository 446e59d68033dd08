"""One search, run by `benchmarks.throughput` and `benchmarks.many_trials` in a process of its own."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from search.checking.checks import check_plan
from search.driver import run_search
from search.planning.arguments import Arguments
from search.planning.execution_mode import ExecutionMode
from search.planning.plan import Plan, make_plan
from tests.support.toy_search import toy_plan


class SearchedVoice(StrEnum):
    """The voice that is searched."""

    TOY = "toy"
    DEMO = "demo"


def search(
    voice: SearchedVoice,
    folder: Path,
    trials: int,
    isolate: Annotated[bool, typer.Option("--isolate")] = False,
) -> None:
    """Search into the new folder FOLDER/run."""
    plan = _toy(folder, trials) if voice is SearchedVoice.TOY else _demo(folder, trials)
    plan = dataclasses.replace(plan, mode=ExecutionMode(isolate=isolate))
    run_search(*check_plan(plan), Console())


def _toy(folder: Path, trials: int) -> Plan:
    return toy_plan(folder, trials=trials)


def _demo(folder: Path, trials: int) -> Plan:
    return make_plan(Arguments(space="demo", out=folder / "run", trials=trials), datetime.now(), {})


if __name__ == "__main__":
    typer.run(search)
