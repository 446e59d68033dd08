"""Under Ray Tune a trial whose loop does not end is stopped, and that is recorded."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from results.run.ledger import Ledger, TrialDrawn, read_ledger
from results.run.run_folder import RunFolder
from results.tensorboard.writer import TensorBoardWriter
from search.console.plain import PlainView
from search.proposals.bands import BandTracker
from search.proposals.budget import BudgetTracker
from search.proposals.study import SearchStudy
from search.tuning.recorder import Recorder
from search.tuning.stopper import BandStopper
from search.tuning.tune_report import as_result, spec_of, tune_config
from spaces.records.trial import Ending, Phase
from spaces.space import Budget, load_space
from tests.support import made_runs
from tests.support.made_runs import draw, point, started, write_curve
from trainable.training.events import Progress

CLIPS, LAST_STEP, IN_BAND_AT = 48, 400, 61
"""12 steps to an epoch, as a crafted point counts them."""


def train_without_end(config: dict) -> None:
    """A trial function that never checks whether its curve has ended."""
    from ray import tune

    spec = spec_of(config)
    run = RunFolder(Path(spec.folder).parent.parent)
    points = [point(step, max(2.0, 6.0 - 0.05 * step)) for step in range(LAST_STEP + 1)]
    for step in range(0, LAST_STEP + 1, 3):
        write_curve(run, spec.trial, points[: step + 1])
        tune.report(as_result(Progress(spec.trial, points[step], Phase.TRAINING)))


@pytest.mark.usefixtures("local_ray")
def test_a_trial_that_trains_past_its_ending_is_stopped_and_recorded(tmp_path):
    from ray import tune

    run, space = RunFolder(tmp_path / "run"), load_space("demo")
    spec = made_runs.spec(run, draw=draw(epochs=99))
    ledger = Ledger(run.ledger)
    ledger.append(started())
    ledger.append(TrialDrawn(trial=spec.trial, draw=spec.draw))
    said = io.StringIO()
    completed: list[str] = []
    view, budget = PlainView(Console(file=said)), BudgetTracker(Budget(trials=1))
    study = SearchStudy(space, 1, 1, CLIPS, BandTracker(space))
    study.ask(spec.trial)
    recorder = Recorder(run, TensorBoardWriter(run), study, view, budget, completed.append)
    tune.Tuner(
        tune.with_resources(train_without_end, {"CPU": 0.1}),
        param_space=tune_config(spec),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(run.ray),
            callbacks=[recorder],
            stop=BandStopper(CLIPS, is_drained=lambda: False),
            verbose=0,
        ),
    ).fit()
    history = read_ledger(run.ledger)
    ended = history.outcomes["t000"]
    assert ended.ending is Ending.CANCELLED
    assert IN_BAND_AT + 12 < ended.point.step < LAST_STEP
    assert history.problems == () and not recorder.running and completed == ["t000"]
    assert "t000 ended: cancelled" in said.getvalue()
