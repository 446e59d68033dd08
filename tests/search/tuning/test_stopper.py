"""The stopper ends a trial whose own loop does not."""

from __future__ import annotations

import pickle

import pytest

from results.run.run_folder import RunFolder
from search.tuning.stopper import BandStopper
from search.tuning.tune_report import CONFIG, as_result, tune_config
from spaces.band import Band
from spaces.records.trial import Phase, SecondChance
from tests.support import made_runs
from tests.support.made_runs import outcome, point, write_curve
from trainable.files.trial_folder import TrialFolder
from trainable.training.events import Finished, Progress

CLIPS = 48
"""With the 4 clips per step of a crafted draw: 12 steps to an epoch, as a crafted point counts them."""
BAND = Band(low=1.5, high=3.0)


@pytest.fixture
def run(tmp_path) -> RunFolder:
    return RunFolder(tmp_path)


def result(run: RunFolder, losses: list[float], phase: Phase = Phase.TRAINING) -> dict:
    """Tune's result dictionary of a trial with this curve, one loss per step."""
    points = [point(step, loss) for step, loss in enumerate(losses)]
    write_curve(run, "t000", points)
    spec = made_runs.spec(run)
    return {CONFIG: tune_config(spec), **as_result(Progress(spec.trial, points[-1], phase))}


FALLING = [6.0 - 0.05 * step for step in range(200)]
IN_BAND_AT = next(step for step, loss in enumerate(FALLING) if loss in BAND)


@pytest.mark.parametrize(
    ("losses", "phase", "is_stopped"),
    [
        (FALLING[:IN_BAND_AT], Phase.TRAINING, False),
        (FALLING[: IN_BAND_AT + 1], Phase.TRAINING, False),
        (FALLING[: IN_BAND_AT + 13], Phase.TRAINING, False),
        (FALLING[: IN_BAND_AT + 14], Phase.TRAINING, True),
        (FALLING[: IN_BAND_AT + 14], Phase.PROBING, False),
        ([float("nan")] * 12, Phase.TRAINING, False),
        ([float("nan")] * 14, Phase.TRAINING, True),
    ],
)
def test_a_trial_is_stopped_an_epoch_after_it_should_have_ended(run, losses, phase, is_stopped):
    stopper = BandStopper(CLIPS, is_drained=lambda: False)
    assert stopper("id", result(run, losses, phase)) is is_stopped


def test_it_sees_points_between_two_reports(run):
    stopper = BandStopper(CLIPS, is_drained=lambda: False)
    stops = [step for step in range(1, 100, 3) if stopper("id", result(run, FALLING[: step + 1]))]
    assert stops[0] == next(step for step in range(1, 100, 3) if step > IN_BAND_AT + 12)


def test_a_trial_that_resumes_from_a_checkpoint_is_checked_again(run):
    stopper = BandStopper(CLIPS, is_drained=lambda: False)
    assert stopper("id", result(run, FALLING[: IN_BAND_AT + 14]))
    assert not stopper("id", result(run, FALLING[: IN_BAND_AT - 10]))
    assert not stopper("id", result(run, FALLING[: IN_BAND_AT + 5]))


@pytest.mark.parametrize("is_watched", [True, False])
def test_a_second_chance_has_its_own_band(run, is_watched):
    """Whether or not the stopper saw the first ending before the trial trained on."""
    stopper, lower = BandStopper(CLIPS, is_drained=lambda: False), Band(low=1.5, high=1.8)
    again_at = next(step for step, loss in enumerate(FALLING) if loss in lower)
    if is_watched:
        assert not stopper("id", result(run, FALLING[: IN_BAND_AT + 5]))
    rejected = outcome("t000", stopped=point(IN_BAND_AT, FALLING[IN_BAND_AT]))
    TrialFolder(run.trial("t000")).write_second_chance(SecondChance(outcome=rejected, band=lower))
    assert again_at > IN_BAND_AT + 12
    assert not stopper("id", result(run, FALLING[: again_at + 13]))
    assert stopper("id", result(run, FALLING[: again_at + 14]))


def test_a_trial_that_has_finished_is_not_stopped():
    assert not BandStopper(CLIPS, is_drained=lambda: False)("id", as_result(Finished("t000", outcome("t000"))))


def test_the_search_ends_only_once_it_is_drained():
    drained = False
    stopper = BandStopper(CLIPS, is_drained=lambda: drained)
    assert not stopper.stop_all()
    drained = True
    assert stopper.stop_all()


def test_it_can_be_pickled_as_tune_does():
    pickle.dumps(BandStopper(CLIPS, is_drained=lambda: False))
