"""A complete toy search in its own process and with its own Ray, on a machine with secrets: one draw always fails, one
process is killed, and the page and an export are made. Several tests look at what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from search.planning.plan import Plan
from tests.support import frail_family
from tests.support.paths import ROOT
from tests.support.toy_search import toy_plan

SECRETS = {
    "HF_TOKEN": "hf_plantedPlantedPlantedPlantedPlan01",
    "HUGGING_FACE_HUB_TOKEN": "hf_plantedPlantedPlantedPlantedPlan02",
    "AWS_SECRET_ACCESS_KEY": "planted/secretAccessKey/planted03",
    "AWS_SESSION_TOKEN": "plantedSessionTokenPlanted04",
}
FILES = {
    ".cache/huggingface/token": "hf_plantedPlantedPlantedPlantedPlan05",
    ".ray/auth_token": "0a0b0c0d0e0f0a0b0c0d0e0f0a0b0c0d0e0f0a0b0c0d0e0f0a0b0c0d0e0f0607",
}
PRINTED, STATES, EXPORTED = "printed", "states.json", "exported"
"""In `work`: the output, the states of Optuna's trials, and an exported adapter."""
TRIALS = 3


def run_whole_search(folder: Path) -> None:
    """Runs it with `folder`/home as home, Ray's files in `folder`/r and everything else in `folder`/work.

    Ray puts its sockets below this folder, so its path must be short.
    """
    work = folder / "work"
    for made in (work, folder / "r"):
        made.mkdir()
    for name, secret in FILES.items():
        path = folder / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(secret)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "HF_"))}
    environment |= {**SECRETS, "HOME": str(folder / "home"), "RAY_TMPDIR": str(folder / "r"), "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "token", "RAY_worker_niceness": "0"}
    with (work / PRINTED).open("wb") as printed:
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.whole_search", str(work)],
            cwd=ROOT,
            env=environment,
            stdout=printed,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    assert done.returncode == 0, (work / PRINTED).read_text(errors="replace")


def plan_in(work: Path) -> Plan:
    return toy_plan(work, "tests.support.frail_family", trials=TRIALS, finalists=1, dropout=0.1)


def main(work: Path) -> None:
    from results.export.export import export_trial
    from results.report.page import write_report
    from results.report.picture import draw_search
    from results.run.ledger import read_ledger
    from search.checking.checks import check_plan
    from search.console.after import DONE, print_summary
    from search.console.before import print_introduction
    from search.driver import run_search
    from search.tuning import run_trials
    from search.tuning.searcher import DrawSearcher

    searchers: list[DrawSearcher] = []

    class RecordedSearcher(DrawSearcher):
        def __init__(self, *arguments, **more) -> None:
            super().__init__(*arguments, **more)
            searchers.append(self)

    run_trials.DrawSearcher = RecordedSearcher
    console = Console(width=200)
    plan = plan_in(work)
    _, checked = check_plan(plan)
    for fault in (frail_family.DOOM, frail_family.KILL):
        (plan.run.path / fault).touch()
    print_introduction(plan, checked, None, console)
    end = run_search(plan, checked, console)
    assert end.exit_code == DONE, end
    (work / STATES).write_text(json.dumps([trial.state.name for trial in searchers[0].study.trials]))
    print_summary(end, draw_search(plan.run), write_report(plan.run), console)
    kept = next(each.trial for each in read_ledger(plan.run.ledger).outcomes.values() if each.checkpoint)
    export_trial(plan.run, kept, work / EXPORTED, family=plan.family)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
