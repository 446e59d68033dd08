"""Runs the trials of a search under Ray Tune."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from results.run.ledger import History, Ledger
from results.run.run_folder import RunFolder
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
from search.tuning.tune_report import SPEC, TRIAL
from spaces.band import Band
from spaces.draw import Draw
from spaces.records.trial import Outcome
from spaces.records.trial_spec import TrialSpec
from trainable.files.mirror import pull
from trainable.files.object_store import StorageError
from trainable.files.trial_folder import TrialFolder


def run_trials(
    plan: Plan,
    clips: int,
    executor: Executor,
    ledger: Ledger,
    view: View,
    history: History,
    budget: BudgetTracker,
    stop_file: Path,
) -> None:
    """Runs trials until the budget is used up, and keeps `budget` up to date. `clips` in an epoch.

    The first Ctrl-C makes `stop_file`, which ends running trials after the step they are in.
    """
    from ray import tune

    run = plan.run
    board = TensorBoardWriter(run)
    board.add_base(history.base)
    bands = BandTracker(plan.space, run, history)

    def on_complete(trial: str) -> None:
        executor.release(trial)
        bands.trial_ended(trial)

    def outcome_of(trial: str) -> Outcome | None:
        # Usually the trial's function, which runs on this node, has pulled it already.
        with suppress(StorageError):
            pull(plan.stored, run.trial(trial))
        return TrialFolder(run.trial(trial)).read_outcome()

    recorder = Recorder(run, ledger, board, view, budget, on_complete, plan.stored)
    for trial in history.running:
        pull(plan.stored, run.trial(trial))
    resume = read_resume_state(run, history)
    _restore(run, resume, budget, recorder)
    for outcome in resume.unrecorded:
        bands.trial_ended(outcome.trial)
    # With the same seed a resumed search would repeat its first draws.
    seed, trials = plan.seed + resume.next_number, budget.trials_left + len(resume.ended)
    searcher = DrawSearcher(
        SearchStudy(plan.space, seed, trials, clips, bands.current_band, new_journal(run.path)),
        budget,
        config_of=lambda trial, draw: tune_config(trial_spec(plan, trial, draw, bands.band_for(trial, draw))),
        on_draw=lambda trial, draw: recorder.record_draw(trial, draw, bands.band_for(trial, draw)),
        band_of=bands.band_for,
        outcome_of=outcome_of,
        curve_of=lambda trial: TrialFolder(run.trial(trial)).read_points(),
        resume=resume,
        capacity=executor.capacity,
    )

    def is_drained() -> bool:
        """Called in every iteration of Tune's loop."""
        for line in executor.notices():
            view.say(line)
        return executor.stuck_reason() is not None or (budget.interrupted and not recorder.running)

    stopper = BandStopper(clips, is_drained=is_drained)

    def interrupt() -> None:
        budget.interrupted = True
        stop_file.touch()
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


def tune_config(spec: TrialSpec) -> dict[str, Any]:
    """The config that Tune passes to a trial's function."""
    return {TRIAL: spec.trial, SPEC: spec.model_dump_json()}


def _restore(run: RunFolder, resume: ResumeState, budget: BudgetTracker, recorder: Recorder) -> None:
    """Counts the trials of earlier processes."""
    for _ in (*resume.ended, *resume.unfinished):
        budget.drawn()
    for trial, _ in resume.unfinished:
        for point in TrialFolder(run.trial(trial)).read_points()[-1:]:
            budget.update(trial, point.gpu_seconds)
    for outcome in resume.recorded:
        recorder.restore(outcome)
    for outcome in resume.unrecorded:
        recorder.record_outcome(outcome)


def trial_spec(plan: Plan, trial: str, draw: Draw, band: Band) -> TrialSpec:
    """The spec of one trial of this search; `band` is the interval that it must end in."""
    return TrialSpec(
        trial=trial,
        folder=str(plan.run.trial(trial)),
        family=plan.family,
        model=plan.model,
        prepared=str(plan.run.prepared),
        calibration=str(plan.run.calibration),
        language=plan.space.language,
        seed=plan.seed,
        draw=draw,
        band=band,
        probe=plan.space.probe,
        storage=plan.stored,
    )


def _name(trial: Any) -> str:
    """Gives a trial the same name in Ray Tune as in the ledger."""
    return trial.config[TRIAL]
