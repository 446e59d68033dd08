"""How the end of a trial gets to the ledger, the study and the budget."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState
from ray.exceptions import RayActorError
from ray.tune.experiment import Trial as TuneTrial
from rich.console import Console

from results.run.ledger import History, Ledger, read_ledger
from results.run.run_folder import RunFolder
from results.tensorboard.writer import TensorBoardWriter
from search.console.plain import PlainView
from search.proposals.bands import BandTracker
from search.proposals.budget import BudgetTracker
from search.proposals.study import SearchStudy
from search.tuning.recorder import Recorder
from search.tuning.tune_report import as_result, tune_config
from spaces.records.trial import Ending, Outcome, Phase
from spaces.records.trial_spec import TrialSpec
from spaces.space import Budget, load_space
from tests.support import made_runs
from tests.support.counted_outcomes import CountedOutcomes, counted_outcomes
from tests.support.made_runs import point, started, verdict, write_curve
from trainable.files.trial_folder import TrialFolder
from trainable.training.events import Finished, Progress, StorageFailed

COMPLETE, FAIL = TrialState.COMPLETE, TrialState.FAIL


class Recording:
    """A recorder with one trial running."""

    def __init__(self, folder: Path) -> None:
        self.run, space = RunFolder(folder / "run"), load_space("demo")
        Ledger(self.run.ledger).append(started())
        self._said, self.stuck, self.released = io.StringIO(), "", []
        view = PlainView(Console(file=self._said, width=200))
        budget = BudgetTracker(Budget(trials=9), stuck_reason=lambda: self.stuck or None)
        self.study = SearchStudy(space, 1, 9, 48, BandTracker(space))
        board = TensorBoardWriter(self.run)
        self.recorder = Recorder(self.run, board, self.study, view, budget, self.released.append)
        self.spec: TrialSpec = made_runs.spec(self.run, "t000", draw=self.study.ask("t000"))
        self.recorder.record_draw(self.spec)
        self.trial = TuneTrial("none", stub=True, config=tune_config(self.spec))
        self.recorder.on_trial_start(0, [], self.trial)
        write_curve(self.run, "t000", [point(step) for step in range(4)])

    def outcome(self) -> Outcome:
        return made_runs.outcome("t000", verdict=verdict([0.8]), drawn=self.spec.draw)

    def report(self, event: Progress | StorageFailed | Finished) -> None:
        self.recorder.on_trial_result(1, [], self.trial, as_result(event))

    @property
    def said(self) -> str:
        return self._said.getvalue()

    @property
    def history(self) -> History:
        return read_ledger(self.run.ledger)

    @property
    def states(self) -> list[TrialState]:
        return [trial.state for trial in self.study.study.trials]


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path)


@pytest.fixture
def counted() -> Iterator[CountedOutcomes]:
    with counted_outcomes() as counts:
        yield counts


def test_the_outcome_that_a_trial_reports_is_recorded_and_its_folder_is_not_read(recording, counted):
    recording.report(Progress("t000", point(3), Phase.TRAINING))
    recording.report(Finished("t000", recording.outcome()))
    recording.recorder.on_trial_complete(1, [], recording.trial)
    assert recording.history.outcomes == {"t000": recording.outcome()}
    assert recording.states == [COMPLETE] and recording.released == ["t000"] and not recording.recorder.running
    assert (counted.reads, counted.pulls) == (0, 0)


def test_a_trial_that_wrote_its_outcome_and_then_died_counts_as_it_ended(recording, counted):
    TrialFolder(recording.spec.path).write_outcome(recording.outcome())
    recording.trial.set_status(TuneTrial.ERROR)
    recording.recorder.on_trial_error(1, [], recording.trial)
    assert recording.history.outcomes == {"t000": recording.outcome()} and recording.states == [COMPLETE]
    assert (counted.reads, counted.pulls) == (1, 1)


def test_a_trial_whose_process_died_has_failed_where_it_was(recording, counted, monkeypatch):
    monkeypatch.setattr(recording.trial, "get_pickled_error", RayActorError)
    recording.recorder.on_trial_error(1, [], recording.trial)
    assert (counted.reads, counted.pulls) == (1, 1)
    [ended] = recording.history.outcomes.values()
    assert ended.ending is Ending.FAILED and "process died" in ended.reason and ended.point == point(3)
    assert TrialFolder(recording.spec.path).read_outcome() == ended
    assert recording.states == [FAIL]


def test_a_trial_that_nothing_can_continue_now_is_left_for_a_resumed_search(recording):
    recording.stuck = "the disk is full"
    recording.recorder.on_trial_complete(1, [], recording.trial)
    assert recording.history.running == ("t000",) and recording.states == [FAIL]
    assert "t000 continues with --resume: the disk is full" in recording.said


def test_an_outcome_is_recorded_once(recording):
    for _ in range(2):
        recording.report(Finished("t000", recording.outcome()))
        recording.recorder.on_trial_complete(1, [], recording.trial)
    recording.recorder.record_outcome(recording.outcome())
    assert recording.history.problems == () and recording.states == [COMPLETE]


def test_a_trial_that_waits_for_storage_says_so(recording):
    recording.report(StorageFailed("t000", f"OSError: [Errno {errno.ESTALE}] Stale file handle"))
    assert "t000 waits for storage and tries again: OSError: [Errno 116] Stale file handle" in recording.said
