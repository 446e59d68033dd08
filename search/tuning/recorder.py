"""Keeps the ledger, TensorBoard and the view in step with what Ray Tune does."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial as TuneTrial

from results.run.ledger import Ledger, TrialDrawn, TrialEnded
from results.run.run_folder import RunFolder
from results.tensorboard.writer import TensorBoardWriter
from search.cluster.failure import root_reason
from search.console.view import View
from search.proposals.budget import BudgetTracker
from search.tuning.tune_report import JOB, TuneReport, settle
from spaces.band import Band
from spaces.draw import Draw
from spaces.records.trial import Ending, Outcome
from spaces.records.trial_spec import TrialSpec
from spaces.storage_uri import Storage
from trainable.files.mirror import push
from trainable.files.object_store import StorageError
from trainable.files.trial_folder import TrialFolder, prune_ended_trial

BOARD_SECONDS = 5.0
"""How often a running trial's curve is copied to TensorBoard."""


class Recorder(Callback):
    """Every draw is in the ledger before its trial starts, and every ending once, when the trial's folder has it."""

    def __init__(
        self,
        run: RunFolder,
        ledger: Ledger,
        board: TensorBoardWriter,
        view: View,
        spending: BudgetTracker,
        on_over: Callable[[str], None],
        storage: Storage | None = None,
    ) -> None:
        """`on_over` hears of every trial that Tune is done with, also of one that Tune has stopped in mid-flight."""
        self._storage = storage
        self._run, self._ledger, self._board, self._view, self._spending = run, ledger, board, view, spending
        self._on_over = on_over
        self._ended: set[str] = set()
        self._copied: dict[str, float] = {}
        self.running: set[str] = set()
        """Trials by name whose function has started and that have not ended."""

    def drawn(self, trial: str, draw: Draw, band: Band) -> None:
        """`band` is the interval that it is judged by."""
        self._ledger.append(TrialDrawn(trial=trial, draw=draw, band=band))
        self._board.begin_trial(trial, draw, band)

    def known(self, outcome: Outcome) -> None:
        """An ending that the ledger already has; its process may have been cut off before it tidied up."""
        self._ended.add(outcome.trial)
        self._board.end_trial(outcome.trial, outcome.draw, outcome)
        self._thin(outcome)
        self._spending.ended(outcome)
        self._view.ended(outcome)

    def ended(self, outcome: Outcome) -> None:
        """Records an ending; a second one of the same trial is left out."""
        if outcome.trial in self._ended:
            return
        self._ended.add(outcome.trial)
        self._ledger.append(TrialEnded(outcome=outcome))
        self._thin(outcome)
        # Room in storage is all that this would save, and the outcome is there.
        with suppress(OSError):
            push(self._storage, self._run.trial(outcome.trial))
        self._board.end_trial(outcome.trial, outcome.draw, outcome)
        self._spending.ended(outcome)
        self._view.ended(outcome)

    def _thin(self, outcome: Outcome) -> None:
        prune_ended_trial(TrialFolder(self._run.trial(outcome.trial)), outcome)

    def on_trial_start(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        job = _job(trial)
        self.running.add(job.trial)
        self._view.started(job.trial, job.draw)

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        report = TuneReport.of(result)
        if report is None:
            return
        name = report.job.trial
        self._spending.update(name, report.point.gpu_seconds)
        self._view.point(name, report.point, report.phase)
        if time.monotonic() - self._copied.get(name, float("-inf")) >= BOARD_SECONDS:
            self._copied[name] = time.monotonic()
            self._board.update_trial(name)

    def on_trial_complete(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        self._settle(trial, Ending.CANCELLED, "stopped by the search while its curve had long ended")

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        error = trial.get_pickled_error() or trial.get_error()
        self._settle(trial, Ending.FAILED, root_reason(error) if error else "its process ended without a word")

    def _settle(self, trial: TuneTrial, ending: Ending, reason: str) -> None:
        job = _job(trial)
        self.running.discard(job.trial)
        self._on_over(job.trial)
        stuck = self._spending.stuck_reason()
        if stuck and TrialFolder(job.path).read_outcome() is None:
            self._view.say(f"{job.trial} goes on with --resume: {stuck}")
            return
        try:
            outcome = settle(job, ending, reason)
        except StorageError as error:
            self._view.say(f"{job.trial} goes on with --resume: {error}")
            return
        self.ended(outcome)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing. Tune pickles its callbacks for a restore that never happens here: the ledger is the record."""
        return {}


def _job(trial: TuneTrial) -> TrialSpec:
    return TrialSpec.model_validate_json(trial.config[JOB])
