"""A Ray Tune callback that keeps the ledger, TensorBoard, the study, the budget and the view up to date."""

import time
from collections.abc import Callable
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial as TuneTrial

from results.run.ledger import Ledger, TrialDrawn, TrialEnded
from results.run.run_folder import RunFolder
from results.tensorboard.writer import TensorBoardWriter
from search.cluster.failure import root_reason
from search.console.view import View
from search.proposals.budget import BudgetTracker
from search.proposals.study import SearchStudy
from search.tuning.outcome_file import pulled_outcome, write_outcome
from search.tuning.tune_report import event_of, spec_of
from spaces.records.trial import Ending, Outcome
from spaces.records.trial_spec import TrialSpec
from trainable.files.object_store import StorageError
from trainable.files.trial_folder import TrialFolder, prune_ended_trial
from trainable.training.events import Finished, Progress, StorageFailed

BOARD_SECONDS = 5.0
"""Between two copies of a running trial's curve to TensorBoard."""


class Recorder(Callback):
    """Writes every draw to the ledger before its trial starts, and every outcome once.

    A trial's last report carries its outcome. Only a trial that Tune has stopped, or whose process has died, has its
    outcome in its folder, or none yet.
    """

    def __init__(
        self,
        run: RunFolder,
        board: TensorBoardWriter,
        study: SearchStudy,
        view: View,
        budget: BudgetTracker,
        release: Callable[[str], None],
    ) -> None:
        """`release` is called with every trial that Tune is done with, also one that Tune has stopped."""
        self._run, self._ledger, self._board, self._study = run, Ledger(run.ledger), board, study
        self._view, self._budget, self._release = view, budget, release
        self._reported: dict[str, Outcome] = {}
        self._ended: set[str] = set()
        self._copied: dict[str, float] = {}
        self.running: set[str] = set()
        """Names of trials whose function has started and that have not ended."""

    def record_draw(self, spec: TrialSpec) -> None:
        self._ledger.append(TrialDrawn(trial=spec.trial, draw=spec.draw, band=spec.band))
        self._board.begin_trial(spec.trial, spec.draw, spec.band)

    def restore(self, outcome: Outcome) -> None:
        """Of an outcome that the ledger has. The process that wrote it may have died before it did the rest."""
        self._ended.add(outcome.trial)
        folder = TrialFolder(self._run.trial(outcome.trial))
        prune_ended_trial(folder, outcome)
        self._board.end_trial(outcome.trial, outcome.draw, outcome)
        self._study.tell(outcome, folder.read_points())
        self._budget.ended(outcome)
        self._view.ended(outcome)

    def record_outcome(self, outcome: Outcome) -> None:
        """A second outcome of the same trial is ignored."""
        if outcome.trial not in self._ended:
            self._ledger.append(TrialEnded(outcome=outcome))
            self.restore(outcome)

    def on_trial_start(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        spec = spec_of(trial.config)
        self.running.add(spec.trial)
        self._view.started(spec.trial, spec.draw)

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        match event_of(result):
            case Progress() as event:
                self._budget.update(event.trial, event.point.gpu_seconds)
                self._view.point(event.trial, event.point, event.phase)
                if time.monotonic() - self._copied.get(event.trial, float("-inf")) >= BOARD_SECONDS:
                    self._copied[event.trial] = time.monotonic()
                    self._board.update_trial(event.trial)
            case Finished() as event:
                self._reported[event.trial] = event.outcome
            case StorageFailed() as event:
                self._view.say(f"{event.trial} waits for storage and tries again: {event.reason}")

    def on_trial_complete(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        self._end(trial, Ending.CANCELLED, "stopped by the search while its curve had long ended")

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        error = trial.get_pickled_error() or trial.get_error()
        self._end(trial, Ending.FAILED, root_reason(error) if error else "its process ended without a word")

    def _end(self, trial: TuneTrial, ending: Ending, reason: str) -> None:
        """Tune is done with this trial, which has ended for this reason if it neither reported nor left an outcome."""
        spec = spec_of(trial.config)
        self.running.discard(spec.trial)
        self._release(spec.trial)
        outcome = self._reported.pop(spec.trial, None) or self._outcome_without_report(spec, ending, reason)
        if outcome is None:
            self._study.tell_failed(spec.trial)
        else:
            self.record_outcome(outcome)

    def _outcome_without_report(self, spec: TrialSpec, ending: Ending, reason: str) -> Outcome | None:
        """None for a trial that continues with --resume, which the user is told."""
        stuck = self._budget.stuck_reason()
        try:
            outcome = pulled_outcome(spec)
            if outcome is None and not stuck:
                outcome = write_outcome(spec, ending, reason)
        except StorageError as error:
            outcome, stuck = None, str(error)
        if outcome is None:
            self._view.say(f"{spec.trial} continues with --resume: {stuck}")
        return outcome

    def __getstate__(self) -> dict[str, Any]:
        """Empty: Tune pickles its callbacks for a restore that never happens here; a search resumes from its ledger."""
        return {}
