"""The lock of a run folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from results.run.ledger import Ledger
from results.run.run_folder import RunFolder
from search import driver
from search.checking import checks
from search.run_state.lock import refuse_if_locked, writer_lock
from spaces.errors import InputError
from tests.support.made_runs import started
from tests.support.paths import ROOT
from tests.support.toy_search import toy_plan

HOLDER = """
import sys, time
from pathlib import Path
from results.run.run_folder import RunFolder
from search.run_state.lock import writer_lock

with writer_lock(RunFolder(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


@pytest.fixture
def holder(run: RunFolder):
    """Another process that writes to the run."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_search_is_refused_and_names_the_first(run: RunFolder, holder) -> None:
    for refused in (lambda: refuse_if_locked(run), lambda: writer_lock(run).__enter__()):
        with pytest.raises(InputError, match=rf"another search is writing here \(process {holder.pid} on .*--resume"):
            refused()


def test_a_killed_search_releases_the_lock(run: RunFolder, holder) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    refuse_if_locked(run)
    with writer_lock(run), pytest.raises(InputError, match=f"process {os.getpid()} on"):
        refuse_if_locked(run)
    with writer_lock(run):
        pass


def test_checking_the_lock_does_not_take_it(run: RunFolder) -> None:
    refuse_if_locked(run)
    assert not run.path.exists()
    with writer_lock(run):
        pass
    refuse_if_locked(run)
    refuse_if_locked(run)


def test_a_search_is_not_resumed_while_another_process_runs_it(tmp_path: Path, run: RunFolder, holder) -> None:
    """Both the checks and the driver refuse it."""
    plan = toy_plan(tmp_path)
    Ledger(run.ledger).append(started())
    resumed = type(plan)(**{**vars(plan), "resume": True})
    for refused in (lambda: checks.check_plan(resumed), lambda: driver.run_search(resumed, None, None)):
        with pytest.raises(InputError, match="another search is writing here"):
            refused()


def test_a_search_that_started_after_the_check_is_not_overwritten(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path)
    _, checked = checks.check_plan(plan)
    Ledger(plan.run.ledger).append(started())
    with pytest.raises(InputError, match="holds another search"):
        driver.run_search(plan, checked, None)


def test_a_folder_in_which_a_search_was_refused_can_be_used(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path)
    with writer_lock(plan.run):
        pass
    checks.check_plan(plan)
