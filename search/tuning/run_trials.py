"""The trials of a search, under Ray Tune."""

from __future__ import annotations

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
from search.tuning.interrupt import in_good_order
from search.tuning.recorder import Recorder
from search.tuning.resume import ResumeState, read_past
from search.tuning.searcher import DrawSearcher
from search.tuning.stopper import BandStopper
from search.tuning.tune_report import JOB, TRIAL
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
    way: Executor,
    ledger: Ledger,
    view: View,
    history: History,
    spending: BudgetTracker,
    stop_file: Path,
) -> None:
    """Runs trials until the budget is used up, and keeps `spending` up to date. `clips` in an epoch.

    The first Ctrl-C makes `stop_file`, at whose sight running trials end after the step they are in.
    """
    from ray import tune

    run = plan.run
    board = TensorBoardWriter(run)
    board.add_base(history.base)
    bands = BandTracker(plan.space, run, history)

    def over(trial: str) -> None:
        way.over(trial)
        bands.trial_ended(trial)

    def outcome_of(trial: str) -> Outcome | None:
        # The trial's own function has mostly done so on this node already.
        with suppress(StorageError):
            pull(plan.stored, run.trial(trial))
        return TrialFolder(run.trial(trial)).read_outcome()

    recorder = Recorder(run, ledger, board, view, spending, over, plan.stored)
    for trial in history.running:
        pull(plan.stored, run.trial(trial))
    past = read_past(run, history)
    _count_past(run, past, spending, recorder)
    for outcome in past.unrecorded:
        bands.trial_ended(outcome.trial)
    # A resumed search goes on to other draws: from the same seed it would begin with those it has made.
    seed, trials = plan.seed + past.next_number, spending.trials_left + len(past.ended)
    searcher = DrawSearcher(
        SearchStudy(plan.space, seed, trials, clips, bands.current_band, new_journal(run.path)),
        spending,
        config_of=lambda trial, draw: config_of(job_of(plan, trial, draw, bands.band_for(trial, draw))),
        on_draw=lambda trial, draw: recorder.drawn(trial, draw, bands.band_for(trial, draw)),
        band_of=bands.band_for,
        outcome_of=outcome_of,
        curve_of=lambda trial: TrialFolder(run.trial(trial)).read_points(),
        past=past,
        room=way.room,
    )

    def is_drained() -> bool:
        """Asked at every turn of Tune's loop."""
        for line in way.notices():
            view.say(line)
        return way.stranded() is not None or (spending.interrupted and not recorder.running)

    stopper = BandStopper(clips, is_drained=is_drained)

    def interrupt() -> None:
        spending.interrupted = True
        stop_file.touch()
        view.say("Ctrl-C: running trials end now and are kept; once more to stop at once")

    tuner = tune.Tuner(
        tune.with_resources(way.trial(), way.resources),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=-1,
            reuse_actors=way.reuses_processes,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(run.ray),
            callbacks=[recorder],
            stop=stopper,
            failure_config=tune.FailureConfig(max_failures=way.tries),
            verbose=0,
        ),
    )
    with in_good_order(interrupt):
        tuner.fit()
    board.close()


def config_of(job: TrialSpec) -> dict[str, Any]:
    """What Tune hands to a trial's function."""
    return {TRIAL: job.trial, JOB: job.model_dump_json()}


def _count_past(run: RunFolder, past: ResumeState, spending: BudgetTracker, recorder: Recorder) -> None:
    for _ in (*past.ended, *past.unfinished):
        spending.drawn()
    for trial, _ in past.unfinished:
        for point in TrialFolder(run.trial(trial)).read_points()[-1:]:
            spending.update(trial, point.gpu_seconds)
    for outcome in past.recorded:
        recorder.known(outcome)
    for outcome in past.unrecorded:
        recorder.ended(outcome)


def job_of(plan: Plan, trial: str, draw: Draw, band: Band) -> TrialSpec:
    """The order for one trial of this search, which `band` judges."""
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
    """Ray Tune's name for a trial is ours."""
    return trial.config[TRIAL]
