"""Disks that are too small, fill up or cannot be written."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from results.run.ledger import read_ledger
from search import driver
from search.checking.checks import check_plan
from search.console.after import DONE
from search.planning import disk
from search.planning.cost_table import Range
from search.planning.disk import check_disk, disk_full_reason, is_disk_full
from search.planning.forecast import DiskForecast
from search.planning.plan import Plan
from spaces.errors import InputError
from spaces.records.trial import Ending
from tests.support import frail_family
from tests.support.made_runs import draw, outcome, point
from tests.support.toy_search import toy_plan
from trainable.family.protocol import SeatState
from trainable.files import trial_folder
from trainable.files.trial_folder import TrialFolder
from trainable.training.checkpoint import CheckpointState, load_weights, write_checkpoint

GB = 1e9
NEEDED = DiskForecast(
    once=Range(1 * GB, 2 * GB), running=Range(2 * GB, 3 * GB), ended=Range(1 * GB, 1 * GB), at_once=2, trials=10
)
"""At least 3 GB for the first trial, at most 18 GB in all."""


def free(monkeypatch: pytest.MonkeyPatch, size: float) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: usage._replace(free=int(size)))


@pytest.mark.parametrize(
    ("size", "needed", "resumed", "message"),
    [
        (20 * GB, NEEDED, False, None),
        (17 * GB, NEEDED, False, "17.0 GB free, and the search takes about 15.0 GB to 18.0 GB"),
        (17 * GB, NEEDED, True, None),
        (1 * GB, None, False, None),
    ],
)
def test_a_disk_that_may_be_too_small_is_warned_of(tmp_path, monkeypatch, size, needed, resumed, message) -> None:
    free(monkeypatch, size)
    found = [finding.message for finding in check_disk(tmp_path, needed, resumed)]
    assert len(found) == (message is not None)
    assert all(message in text for text in found)


@pytest.mark.parametrize(
    ("size", "needed", "resumed", "message"),
    [
        (2.9 * GB, NEEDED, False, "only 2.9 GB free, and one trial takes 3.0 GB"),
        (1.9 * GB, NEEDED, True, "only 1.9 GB free, and one trial takes 2.0 GB"),
        (0.5 * GB, None, False, "only 500 MB free, and one trial takes 537 MB"),
    ],
)
def test_a_disk_that_is_too_small_is_refused(tmp_path, monkeypatch, size, needed, resumed, message) -> None:
    free(monkeypatch, size)
    with pytest.raises(InputError, match=message):
        check_disk(tmp_path, needed, resumed)


def test_a_full_disk_is_noticed_before_a_trial_starts(tmp_path, monkeypatch) -> None:
    free(monkeypatch, 2 * GB)
    assert disk_full_reason(tmp_path, NEEDED) is None
    free(monkeypatch, 1.5 * GB)
    assert disk_full_reason(tmp_path, NEEDED) == "the disk is full (1.5 GB free, a trial takes 2.0 GB)"


def test_a_folder_that_cannot_be_written_is_refused(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written .*give another --out"):
        check_disk(tmp_path / "file" / "run", None, False)


def wrapped(error: Exception) -> Exception:
    try:
        try:
            raise error
        except Exception as inner:
            raise RuntimeError("Tune says so") from inner
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (wrapped(OSError(errno.EDQUOT, "Disk quota exceeded")), True),
        (RuntimeError("[Errno 28] No space left on device: 'x'"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (wrapped(ValueError("no")), False),
    ],
)
def test_a_full_disk_is_recognised_in_wrapped_errors(error, expected) -> None:
    assert is_disk_full(error) is expected


def test_an_ended_trial_keeps_only_the_probed_weights(tmp_path) -> None:
    folder = TrialFolder(tmp_path)
    import torch

    weights, moments = {"w": torch.ones(3)}, {"w.exp_avg": torch.zeros(3)}
    states = [CheckpointState(draw=draw(), seed=1, point=point(step), window=(), ending=None) for step in (12, 24)]
    kept = [write_checkpoint(folder.checkpoints, state, SeatState(weights, moments, 1)) for state in states]
    (folder.checkpoints / ".step-000036.part").mkdir()
    ended = outcome("t", checkpoint=str(kept[0].folder.relative_to(tmp_path)))
    for _ in range(2):
        trial_folder.prune_ended_trial(folder, ended)
        assert [path.name for path in folder.checkpoints.iterdir()] == ["step-000012"]
        assert load_weights(kept[0].folder)["w"].tolist() == [1, 1, 1]
        assert not (kept[0].folder / trial_folder.OPTIMIZER).exists()
    trial_folder.prune_ended_trial(folder, outcome("t", Ending.FAILED))
    assert list(folder.checkpoints.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 MiB."""
    where = tmp_path / "disk"
    where.mkdir()
    mounted = os.geteuid() == 0 and shutil.which("mount") is not None
    mounted = mounted and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m", "small", where]).returncode == 0
    if not mounted:
        pytest.skip("needs to mount a small file system, which this user or container may not")
    yield where
    subprocess.run(["umount", "--lazy", where], check=True)


@pytest.mark.soak
@pytest.mark.usefixtures("local_ray")
def test_a_search_whose_disk_fills_up_loses_nothing_and_continues_when_there_is_room(small_disk, monkeypatch) -> None:
    monkeypatch.setattr(disk, "MIN_FREE_BYTES", 0)
    monkeypatch.setattr(disk, "FULL_BYTES", 2**20)
    plan = toy_plan(small_disk, "tests.support.frail_family", trials=4, vector_lr=0.06)
    _, checked = check_plan(plan)
    (plan.run.path / frail_family.SLOW).touch()
    ballast = small_disk / "ballast"
    filler = threading.Thread(target=fill_once_a_trial_has_ended, args=(plan, ballast))
    filler.start()
    said = io.StringIO()
    try:
        end = driver.run_search(plan, checked, Console(file=said, width=200))
    except Exception as error:
        assert is_disk_full(error), error
    else:
        assert "the disk is full" in end.reason
    filler.join()
    before = read_ledger(plan.run.ledger)
    assert before.outcomes and Ending.FAILED not in {each.ending for each in before.outcomes.values()}

    ballast.unlink()
    again = dataclasses.replace(plan, resume=True)
    end = driver.run_search(*check_plan(again), Console(file=said, width=200))
    after = read_ledger(plan.run.ledger)
    assert end.exit_code == DONE
    assert {trial: after.outcomes[trial] for trial in before.outcomes} == before.outcomes
    assert len(after.outcomes) == 4 and not after.running
    assert {each.ending for each in after.outcomes.values()} == {Ending.IN_BAND}


def fill_once_a_trial_has_ended(plan: Plan, ballast: Path) -> None:
    deadline = time.monotonic() + 120
    while not any(TrialFolder(folder).outcome.exists() for folder in plan.run.trials.glob("*")):
        assert time.monotonic() < deadline, "no trial ends"
        time.sleep(0.05)
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 2**16)
        except OSError:
            (plan.run.path / frail_family.SLOW).unlink()
