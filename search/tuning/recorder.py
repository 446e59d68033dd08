"""A Ray Tune callback that keeps the ledger, TensorBoard and the view up to date."""

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
from search.tuning.tune_report import SPEC, TuneReport, ensure_outcome
from spaces.band import Band
from spaces.draw import Draw
from spaces.records.trial import Ending, Outcome
from spaces.records.trial_spec import TrialSpec
from spaces.storage_uri import Storage
from trainable.files.mirror import push
from trainable.files.object_store import StorageError
from trainable.files.trial_folder import TrialFolder, prune_ended_trial

BOARD_SECONDS = 5.0
"""Between two copies of a running trial's curve to TensorBoard."""


class Recorder(Callback):
    """Writes every draw to the ledger before its trial starts, and every outcome once the trial's folder has it."""

    def __init__(
        self,
        run: RunFolder,
        ledger: Ledger,
        board: TensorBoardWriter,
        view: View,
        budget: BudgetTracker,
        on_complete: Callable[[str], None],
        storage: Storage | None = None,
    ) -> None:
        """`on_complete` is called with every trial that Tune is done with, also one that Tune has stopped."""
        self._storage = storage
        self._run, self._ledger, self._board, self._view, self._budget = run, ledger, board, view, budget
        self._on_complete = on_complete
        self._ended: set[str] = set()
        self._copied: dict[str, float] = {}
        self.running: set[str] = set()
        """Names of trials whose function has started and that have not ended."""

    def record_draw(self, trial: str, draw: Draw, band: Band) -> None:
        """`band` is the loss interval that the trial must end in."""
        self._ledger.append(TrialDrawn(trial=trial, draw=draw, band=band))
        self._board.begin_trial(trial, draw, band)

    def restore(self, outcome: Outcome) -> None:
        """Of an outcome that the ledger has. The process that wrote it may have died before it pruned checkpoints."""
        self._ended.add(outcome.trial)
        self._board.end_trial(outcome.trial, outcome.draw, outcome)
        self._prune(outcome)
        self._budget.ended(outcome)
        self._view.ended(outcome)

    def record_outcome(self, outcome: Outcome) -> None:
        """A second outcome of the same trial is ignored."""
        if outcome.trial in self._ended:
            return
        self._ended.add(outcome.trial)
        self._ledger.append(TrialEnded(outcome=outcome))
        self._prune(outcome)
        # Storage already has the outcome; this only removes pruned checkpoints there.
        with suppress(OSError):
            push(self._storage, self._run.trial(outcome.trial))
        self._board.end_trial(outcome.trial, outcome.draw, outcome)
        self._budget.ended(outcome)
        self._view.ended(outcome)

    def _prune(self, outcome: Outcome) -> None:
        prune_ended_trial(TrialFolder(self._run.trial(outcome.trial)), outcome)

    def on_trial_start(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        spec = _spec_of(trial)
        self.running.add(spec.trial)
        self._view.started(spec.trial, spec.draw)

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        report = TuneReport.of(result)
        if report is None:
            return
        name = report.spec.trial
        self._budget.update(name, report.point.gpu_seconds)
        self._view.point(name, report.point, report.phase)
        if time.monotonic() - self._copied.get(name, float("-inf")) >= BOARD_SECONDS:
            self._copied[name] = time.monotonic()
            self._board.update_trial(name)

    def on_trial_complete(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        self._record_ending(trial, Ending.CANCELLED, "stopped by the search while its curve had long ended")

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        error = trial.get_pickled_error() or trial.get_error()
        self._record_ending(trial, Ending.FAILED, root_reason(error) if error else "its process ended without a word")

    def _record_ending(self, trial: TuneTrial, ending: Ending, reason: str) -> None:
        spec = _spec_of(trial)
        self.running.discard(spec.trial)
        self._on_complete(spec.trial)
        stuck = self._budget.stuck_reason()
        if stuck and TrialFolder(spec.path).read_outcome() is None:
            self._view.say(f"{spec.trial} continues with --resume: {stuck}")
            return
        try:
            outcome = ensure_outcome(spec, ending, reason)
        except StorageError as error:
            self._view.say(f"{spec.trial} continues with --resume: {error}")
            return
        self.record_outcome(outcome)

    def __getstate__(self) -> dict[str, Any]:
        """Empty: Tune pickles its callbacks for a restore that never happens here; a search resumes from its ledger."""
        return {}


def _spec_of(trial: TuneTrial) -> TrialSpec:
    return TrialSpec.model_validate_json(trial.config[SPEC])
