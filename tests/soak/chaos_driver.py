"""A search in a process of its own, which the tests kill."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil

from results.run.run_folder import RunFolder
from search.planning.execution_mode import ExecutionMode
from search.planning.plan import LOCAL, Plan
from spaces.cli import exit_on_input_error
from tests.support.paths import ROOT
from tests.support.toy_search import toy_plan

STUDY = "study.json"
"""What Optuna was told, written by a driver that ended by itself."""
FAMILY = "tests.support.frail_family"


def toy_command(folder: Path, trials: int, address: str = LOCAL, **mode: float) -> list[str]:
    """`mode` as `search.planning.execution_mode.ExecutionMode` takes it."""
    where = [address, json.dumps(mode)]
    return [sys.executable, "-m", "tests.soak.chaos_driver", str(folder), str(trials), *where]


def demo_command(run: RunFolder, trials: int) -> list[str]:
    return [sys.executable, "search/run.py", "--address", LOCAL, "--out", str(run.path), "--trials", str(trials)]


class Driver:
    """The process of a search and its descendants; all are gone afterwards."""

    def __init__(self, command: list[str], log: Path, resume: bool) -> None:
        self._log = log
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_ADDRESS": ""}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [*command, *(["--resume"] if resume else [])],
                cwd=ROOT,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._family: dict[int, psutil.Process] = {}

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()
        # Ray's own processes would end by themselves, a second or two later.
        for process in self._family.values():
            if process.is_running() and process.pid != self._process.pid:
                with _gone():
                    process.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        self._descendants()
        return self._process.poll() is None

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def wait(self, seconds: float) -> int:
        deadline = time.monotonic() + seconds
        while self.is_running and time.monotonic() < deadline:
            time.sleep(0.5)
        self.kill()
        return self._process.returncode

    def wait_or_kill(self, seconds: float) -> None:
        """A driver whose Ray is gone may take long to notice."""
        self.wait(seconds)

    def kill(self) -> None:
        self._descendants()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def kill_one(self, title: str, chance: random.Random) -> bool:
        """Sends SIGKILL to a descendant whose title contains `title`; False where there is none."""
        found = [process for process in self._descendants() if title in _title(process)]
        if not found:
            return False
        with _gone():
            chance.choice(sorted(found, key=lambda process: process.pid)).kill()
        return True

    def _descendants(self) -> list[psutil.Process]:
        with _gone():
            for process in psutil.Process(self._process.pid).children(recursive=True):
                self._family.setdefault(process.pid, process)
        return [process for process in self._family.values() if process.is_running()]


def _title(process: psutil.Process) -> str:
    with _gone():
        return process.cmdline()[0]
    return ""


class _gone:
    """Ignores errors of processes that have ended meanwhile."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> bool:
        return kind is not None and issubclass(kind, (psutil.Error, IndexError))


def plan_of(folder: Path, trials: int) -> Plan:
    return toy_plan(folder, FAMILY, trials=trials, finalists=1, vector_lr={"low": 0.03, "high": 0.08, "log": True})


def drive(folder: Path, trials: int, resume: bool, address: str, mode: ExecutionMode) -> int:
    """Searches, slowly, and writes the study's trials to STUDY; returns the exit code."""
    import optuna
    from rich.console import Console

    from search import driver
    from search.checking.checks import check_plan
    from search.tuning import run_trials as search_trials
    from tests.support.frail_family import SLOW

    searchers = []
    make = search_trials.DrawSearcher
    search_trials.DrawSearcher = lambda *arguments, **more: searchers.append(make(*arguments, **more)) or searchers[-1]
    begun = resume and RunFolder(folder / "run").ledger.exists()
    plan = dataclasses.replace(plan_of(folder, trials), resume=begun, address=address, mode=mode)
    _, checked = check_plan(plan)
    (plan.run.path / SLOW).touch()
    finish = driver.run_search(plan, checked, Console(width=200))
    studies = [each for each in gc.get_objects() if isinstance(each, optuna.study.Study)]
    told = max((study.trials for study in studies), key=len, default=[])
    content = [{"state": trial.state.name, "params": trial.params, "value": trial.value} for trial in told]
    (folder / STUDY).write_text(json.dumps(content))
    return finish.exit_code


if __name__ == "__main__":
    where, number, at, how = sys.argv[1:5]
    with exit_on_input_error():
        sys.exit(drive(Path(where), int(number), "--resume" in sys.argv, at, ExecutionMode(**json.loads(how))))
