"""Runs the trials of a search under Ray Tune."""

from typing import Any

from results.run.ledger import History
from results.tensorboard.writer import TensorBoardWriter
from search.console.view import View
from search.planning.plan import Plan
from search.proposals.bands import BandTracker
from search.proposals.budget import BudgetTracker
from search.proposals.study import SearchStudy, new_journal
from search.tuning.executor import Executor
from search.tuning.interrupt import graceful_interrupt
from search.tuning.recorder import Recorder
from search.tuning.resume import ResumeState, read_resume_state
from search.tuning.searcher import DrawSearcher
from search.tuning.stopper import BandStopper
from search.tuning.tune_report import TRIAL
from trainable.files.mirror import pull
from trainable.files.trial_folder import TrialFolder


def run_trials(plan: Plan, clips: int, executor: Executor, view: View, history: History, budget: BudgetTracker) -> None:
    """Runs trials until the budget is used up, and keeps `budget` up to date. `clips` in an epoch.

    The first Ctrl-C makes the run's stop file, which ends running trials after the step they are in.
    """
    from ray import tune

    run = plan.run
    board = TensorBoardWriter(run)
    board.add_base(history.base)
    for trial in history.running:
        pull(plan.stored, run.trial(trial))
    resume = read_resume_state(run, history)
    space = plan.space.with_base(history.base_training)
    study = SearchStudy(
        space,
        # With the same seed a resumed search would repeat its first draws.
        plan.seed + resume.next_number,
        plan.budget.trials + resume.cancellations,
        clips,
        BandTracker(space, history),
        new_journal(run.path),
    )
    recorder = Recorder(run, board, study, view, budget, executor.release)
    _restore(plan, resume, budget, recorder)
    searcher = DrawSearcher(plan, study, budget, resume, recorder.record_draw, executor.capacity)

    def is_drained() -> bool:
        """Called in every iteration of Tune's loop."""
        for line in (*executor.notices(), *study.bands.notices()):
            view.say(line)
        return executor.stuck_reason() is not None or (budget.interrupted and not recorder.running)

    stopper = BandStopper(clips, is_drained=is_drained)

    def interrupt() -> None:
        budget.interrupted = True
        run.stop_file.touch()
        view.say("Ctrl-C: running trials end now and are kept; once more to stop at once")

    tuner = tune.Tuner(
        tune.with_resources(executor.trial_function(), executor.resources),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=-1,
            reuse_actors=executor.reuse_actors,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(run.ray),
            callbacks=[recorder],
            stop=stopper,
            failure_config=tune.FailureConfig(max_failures=executor.max_failures),
            verbose=0,
        ),
    )
    with graceful_interrupt(interrupt):
        tuner.fit()
    board.close()


def _restore(plan: Plan, resume: ResumeState, budget: BudgetTracker, recorder: Recorder) -> None:
    """Counts the trials of earlier processes."""
    for _ in (*resume.ended, *resume.unfinished):
        budget.drawn()
    for trial, _ in resume.unfinished:
        for point in TrialFolder(plan.run.trial(trial)).read_points()[-1:]:
            budget.update(trial, point.gpu_seconds)
    for outcome in resume.recorded:
        recorder.restore(outcome)
    for outcome in resume.unrecorded:
        recorder.record_outcome(outcome)


def _name(trial: Any) -> str:
    """Gives a trial the same name in Ray Tune as in the ledger."""
    return trial.config[TRIAL]
