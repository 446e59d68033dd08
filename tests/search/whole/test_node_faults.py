"""Searches on several nodes: a node dies, joins or never comes, all die, or storage fails for a while.

Every trial ends once, and as it would have by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from results.run.ledger import read_ledger
from results.run.run_folder import RunFolder
from search.console.after import DONE, NOTHING_ACCEPTED
from spaces.cli import WRONG_INPUT
from tests.soak.chaos_driver import Driver, toy_command
from tests.soak.chaos_records import compare_study, compare_with_undisturbed, records
from tests.support.frail_family import RESUMED, SLOW
from tests.support.ray_nodes import OTHER_TORCH, Nodes
from trainable.files.trial_folder import TrialFolder

pytestmark = [pytest.mark.soak, pytest.mark.ray]
PATIENCE_SECONDS = 900.0
"""For what should happen within seconds; the machine may be busy."""
LINGERING_SECONDS = 20.0
"""For a driver to notice that its Ray is gone."""


class Search:
    """A search of the toy family on some nodes."""

    def __init__(self, folder: Path, nodes: Nodes, trials: int, resume: bool = False, **mode: float) -> None:
        self.folder, self.run, self.trials = folder, RunFolder(folder / "run"), trials
        log = folder / f"{'resumed' if resume else 'begun'}.log"
        self.driver = Driver(toy_command(folder, trials, nodes.address, **mode), log, resume)

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *exception: object) -> None:
        self.driver.__exit__(*exception)

    def until(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not what():
            assert self.driver.is_running, self.driver.said()[-3000:]
            assert time.monotonic() < deadline, self.driver.said()[-3000:]
            time.sleep(0.1)

    def until_said(self, words: str) -> None:
        self.until(lambda: words in self.driver.said())

    def training(self) -> list[str]:
        """Trials that have a checkpoint and have not ended."""
        found = [TrialFolder(folder) for folder in self.run.trials.glob("t*")]
        return [each.path.name for each in found if not each.outcome.exists() and any(each.checkpoints.glob("step-*"))]

    def hurry(self) -> None:
        (self.run.path / SLOW).unlink(missing_ok=True)

    def end(self) -> int:
        self.hurry()
        return self.driver.wait(PATIENCE_SECONDS)

    def assert_ends_complete(self) -> None:
        """Every trial ended once, Optuna was told so once, and each outcome equals that of the trial by itself."""
        code = self.end()
        assert code in (DONE, NOTHING_ACCEPTED), self.driver.said()[-3000:]
        left = records(self.run)
        left.check_continues(left)
        left.check_complete(self.trials)
        compare_study(self.folder, self.run)
        compare_with_undisturbed(self.folder, self.run)


def test_a_killed_node_is_survived_a_node_with_other_versions_is_left_out_and_an_added_node_is_used(tmp_path):
    with Nodes() as nodes:
        stays, dies = nodes.add(), nodes.add()
        with Search(tmp_path, nodes, trials=6) as search:
            search.until(lambda: len(search.training()) == 2 and nodes.trains(stays) and nodes.trains(dies))
            nodes.kill(dies)
            differs = nodes.add(has_other_torch=True)
            search.until_said(f"Left out: node {differs}: torch {OTHER_TORCH}")
            joins = nodes.add()
            search.until(lambda: nodes.trains(joins))
            assert not nodes.trains(differs)
            search.assert_ends_complete()
    assert (search.run.path / RESUMED).exists()


def test_a_search_that_no_node_comes_for_ends_and_goes_on_once_there_is_one(tmp_path):
    with Nodes() as nodes:
        with Search(tmp_path, nodes, trials=3, wait_minutes=0.1) as search:
            assert search.end() == WRONG_INPUT
            assert "Waiting for a node with 1 CPU" in search.driver.said()
            assert "a node with 1 CPU has not come within 0.1 minutes; `ray status`" in search.driver.said()
        assert not search.run.ledger.exists()
        # A file of the test's own driver.
        (search.run.path / SLOW).unlink(missing_ok=True)
        only = nodes.add()
        with Search(tmp_path, nodes, trials=3, wait_minutes=0.1) as search:
            search.until(lambda: bool(search.training()))
            nodes.kill(only)
            assert search.end() == NOTHING_ACCEPTED
        history = read_ledger(search.run.ledger)
        assert history.running and "Traceback" not in search.driver.said()
        assert history.ended.startswith("a node with 0.9 CPUs free has not come within 0.1 minutes; `ray status`")
        nodes.add()
        with Search(tmp_path, nodes, trials=3, resume=True) as search:
            search.assert_ends_complete()


def test_a_search_whose_head_is_switched_off_with_all_nodes_goes_on_at_another(tmp_path):
    with Nodes() as nodes:
        nodes.add()
        with Search(tmp_path, nodes, trials=3) as search:
            search.until(lambda: bool(search.training()))
            nodes.switch_off()
            search.driver.wait_or_kill(LINGERING_SECONDS)
    before = records(search.run)
    with Nodes() as nodes:
        nodes.add()
        with Search(tmp_path, nodes, trials=3, resume=True) as search:
            search.assert_ends_complete()
    records(search.run).check_continues(before)
    assert (search.run.path / RESUMED).exists()


def test_a_trial_whose_storage_fails_for_a_while_goes_on_from_its_checkpoint(tmp_path):
    with Nodes() as nodes:
        nodes.add()
        with Search(tmp_path, nodes, trials=3) as search:
            search.until(lambda: bool(search.training()))
            trial = search.training()[0]
            folder, away = search.run.trial(trial), tmp_path / "away"
            folder.rename(away)
            folder.write_text("a file where a folder should be")
            _until_still(search, away)
            folder.unlink()
            away.rename(folder)
            search.assert_ends_complete()
    assert (search.run.path / RESUMED).exists()


def _until_still(search: Search, away: Path) -> None:
    """Until the trial has stopped writing to its curve, which it has open."""
    sizes: list[int] = []

    def is_still() -> bool:
        sizes.append((away / "curve.jsonl").stat().st_size)
        time.sleep(0.2)
        return len(sizes) > 10 and len(set(sizes[-10:])) == 1

    search.until(is_still)
