"""Whole trials of the toy family: their endings, their files, and that no work is repeated."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from spaces.band import Band
from spaces.data_settings import AugmentationSettings
from spaces.records.losses import BaseLoss
from spaces.records.trial import Ending, Phase
from spaces.records.trial_spec import TrialSpec
from tests.support import toy_family
from tests.support.toy_voice import BAND, LINES, ToyVoice, make_toy_voice
from tests.support.voices import TEXTS
from trainable.files.trial_folder import TrialFolder
from trainable.training import checkpoint
from trainable.training.checkpoint import read_checkpoints
from trainable.training.events import Progress
from trainable.training.outcome import overshot_at_once
from trainable.training.run_trial import run_trial

BEGINS = BaseLoss(mean=4.474, deviation=0.5)
"""Of the base model."""


def never_called(event: Progress) -> None:
    raise AssertionError("the trial was run again")


@pytest.mark.parametrize(
    ("name", "changes", "ending", "probed"),
    [
        ("in_band", {}, Ending.IN_BAND, True),
        ("hopeless", {"vector_lr": 1e-4}, Ending.HOPELESS, False),
        ("exhausted", {"vector_lr": 0.05, "epochs": 2}, Ending.EXHAUSTED, False),
        ("overshot", {"band": Band(low=2.0, high=2.001)}, Ending.OVERSHOT, True),
        ("completed", {"band": None, "epochs": 3}, Ending.COMPLETED, True),
    ],
)
def test_endings(voice: ToyVoice, name: str, changes: dict, ending: Ending, probed: bool) -> None:
    outcome = run_trial(voice.spec(name, **changes), lambda event: None)
    assert outcome.ending is ending, outcome.reason
    assert (outcome.verdict is not None) == probed
    assert TrialFolder(voice.root / name).read_outcome() == outcome


def test_a_loss_that_is_not_finite_ends_the_trial_and_is_recorded(voice: ToyVoice) -> None:
    far = toy_family.make_toy_model(voice.root / "far", start=1e30)
    spec = voice.spec("diverged").model_copy(update={"model": str(far)})
    outcome = run_trial(spec, lambda event: None)
    assert outcome.ending is Ending.DIVERGED and outcome.checkpoint is None
    assert outcome.point is not None and outcome.point.loss == float("inf")
    assert TrialFolder(voice.root / "diverged").read_outcome() == outcome


def test_a_trial_in_the_band_is_probed_at_its_checkpoint(voice: ToyVoice) -> None:
    outcome = run_trial(voice.spec("probed"), lambda event: None)
    assert outcome.kept is not None and outcome.kept.loss in BAND
    assert outcome.verdict is not None and outcome.verdict.accepted
    assert [line.text for line in outcome.verdict.lines] == list(LINES)
    for line in outcome.verdict.lines:
        assert (voice.root / "probed" / line.audio).is_file()
    [written] = read_checkpoints(voice.root / "probed" / "checkpoints")
    assert str(written.folder.relative_to(voice.root / "probed")) == outcome.checkpoint


def test_an_overshot_trial_goes_back_above_the_floor(voice: ToyVoice) -> None:
    outcome = run_trial(voice.spec("over", band=Band(low=2.0, high=2.001)), lambda event: None)
    assert outcome.point is not None and outcome.point.loss < 2.0
    assert outcome.kept is not None and outcome.kept.loss >= 2.0


@pytest.mark.parametrize("band", [Band(low=50, high=60), Band(low=4.4, high=4.5)])
def test_a_trial_that_overshoots_at_its_first_settled_point_is_heard_where_it_ended(
    voice: ToyVoice, band: Band
) -> None:
    """It begins below its band or within it, and never was above the floor with less than the base model's loss."""
    spec = voice.spec("at once", band=band, vector_lr=0.02).model_copy(update={"base_loss": BEGINS})
    outcome = run_trial(in_own_folder(spec, str(band)), lambda event: None)
    assert outcome.ending is Ending.OVERSHOT and overshot_at_once(outcome), outcome
    assert outcome.kept == outcome.point and outcome.verdict is not None
    assert "the base model's own is" in outcome.reason
    [written] = read_checkpoints(Path(spec.folder).parent / f"at once-{band}" / "checkpoints")
    assert written.state.point == outcome.point


def test_an_untrained_trial_is_not_in_its_band(voice: ToyVoice) -> None:
    spec = voice.spec("untrained", band=Band(low=0.1, high=9), vector_lr=1e-6, epochs=1)
    outcome = run_trial(spec.model_copy(update={"base_loss": BEGINS}), lambda event: None)
    assert outcome.ending is Ending.EXHAUSTED and outcome.verdict is None
    assert "not lower than the base model's" in outcome.reason


@pytest.mark.parametrize("accumulation", [1, 2])
def test_an_overshot_trial_goes_back_by_a_single_step(voice: ToyVoice, accumulation: int) -> None:
    """Of four or two per epoch, wherever in the epoch it jumped over the band."""
    spec = voice.spec("jumped", band=Band(low=2.0, high=2.001), accumulation=accumulation)
    outcome = run_trial(in_own_folder(spec, str(accumulation)), lambda event: None)
    assert outcome.ending is Ending.OVERSHOT and outcome.kept is not None
    assert outcome.kept.step == outcome.point.step - 1


def in_own_folder(spec: TrialSpec, name: str) -> TrialSpec:
    return spec.model_copy(update={"folder": f"{spec.folder}-{name}"})


def test_the_checkpoint_of_an_overshot_trial_does_not_depend_on_the_speed_of_the_disk(
    voice: ToyVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    for name, share in (("idle disk", 1e9), ("busy disk", 1e-9)):
        monkeypatch.setattr(checkpoint, "MAX_WRITING_SHARE", share)
        slow = {"vector_lr": 0.06}
        outcome = run_trial(voice.spec(name, band=Band(low=1.2, high=1.2001), **slow), lambda event: None)
        assert outcome.ending is Ending.OVERSHOT and outcome.kept is not None
        assert outcome.kept.epoch > 1, "expected more than the first checkpoint, which is always written"
        [written] = read_checkpoints(voice.root / name / "checkpoints")
        kept.append((outcome.kept.step, outcome.kept.losses, written.read().weights["vector"].tolist()))
    assert kept[0] == kept[1]


def test_an_ended_trial_is_not_run_again(voice: ToyVoice) -> None:
    first = run_trial(voice.spec("once"), lambda event: None)
    assert run_trial(voice.spec("once"), never_called) == first


def test_a_trial_cut_off_while_probing_probes_again_without_training(voice: ToyVoice) -> None:
    class Cut(Exception):
        pass

    def cut(event: Progress) -> None:
        if event.phase is Phase.PROBING:
            raise Cut

    with pytest.raises(Cut):
        run_trial(voice.spec("cut"), cut)
    assert TrialFolder(voice.root / "cut").read_outcome() is None
    [kept] = read_checkpoints(voice.root / "cut" / "checkpoints")
    written = (kept.folder / "adapter.safetensors").stat().st_mtime_ns
    seen: list[int] = []
    outcome = run_trial(voice.spec("cut"), lambda event: seen.append(event.point.step))
    whole = run_trial(voice.spec("uncut"), lambda event: None)
    assert set(seen) == {outcome.point.step}
    assert outcome.verdict == whole.verdict and outcome.ending is whole.ending
    assert (kept.folder / "adapter.safetensors").stat().st_mtime_ns == written, "the checkpoint was written again"


def test_a_stopped_trial_is_cancelled_with_a_checkpoint(voice: ToyVoice) -> None:
    steps: list[int] = []
    outcome = run_trial(voice.spec("stopped"), lambda event: steps.append(event.point.step), lambda: len(steps) > 1)
    assert outcome.ending is Ending.CANCELLED and outcome.verdict is None
    assert outcome.checkpoint is not None


def test_the_curve_starts_at_step_0_and_misses_no_step(voice: ToyVoice) -> None:
    outcome = run_trial(voice.spec("steps"), lambda event: None)
    points = TrialFolder(voice.root / "steps").read_points()
    assert [point.step for point in points] == list(range(len(points)))
    assert points[-1] == outcome.point
    assert points[0].clips == 0 and points[0].loss > points[-1].loss


def test_a_schedule_is_followed_over_the_whole_run(voice: ToyVoice) -> None:
    """Four steps per epoch: one of warm-up, and two half waves over the other seven."""
    slow = {"vector_lr": 1e-3, "band": Band(low=1e-6, high=1e-5)}
    draw = {"epochs": 2, "warmup": 1, "schedule": "cosine", "lr_cycles": 2, "lr_floor": 0.5}
    outcome = run_trial(voice.spec("cosine", **slow, **draw), lambda event: None)
    points = TrialFolder(voice.root / "cosine").read_points()
    assert outcome.ending is Ending.EXHAUSTED and len(points) == 9
    waves = [(1 + math.cos(math.pi * at)) / 2 for at in (0, 2 / 7, 4 / 7, 6 / 7, 1 / 7, 3 / 7, 5 / 7)]
    factors = [0.5, 0.5, *[0.5 + 0.5 * wave for wave in waves]]
    assert [point.lrs["vector"] for point in points] == pytest.approx([1e-3 * factor for factor in factors])


def test_what_is_differentiated_changes_the_gradient_and_not_the_reported_losses(voice: ToyVoice) -> None:
    for name, weight in (("reported", 1), ("heavier", 2)):
        run_trial(voice.spec(name, weight=weight, epochs=1), lambda event: None)
    reported, heavier = (TrialFolder(voice.root / name).read_points()[1] for name in ("reported", "heavier"))
    assert heavier.losses == reported.losses
    assert heavier.grad_norm == pytest.approx(2 * reported.grad_norm)


def test_copies_are_trained_on_in_place_of_their_clips(tmp_path: Path) -> None:
    voice = make_toy_voice(tmp_path, augment=AugmentationSettings(copies=2, speed=(0.5, 0.6)))
    slow = {"vector_lr": 1e-3, "epochs": 2, "band": Band(low=1e-6, high=1e-5)}
    seconds = {}
    for share in (0.0, 0.5, 1.0):
        outcome = run_trial(voice.spec(f"{share}", augmented=share, **slow), lambda event: None)
        assert outcome.point.clips == 2 * len(TEXTS) and outcome.point.epoch == 2.0
        seconds[share] = outcome.point.audio_seconds
    assert seconds[0.0] < seconds[0.5] < seconds[1.0]
    assert 1 / 0.6 < seconds[1.0] / seconds[0.0] < 1 / 0.5


def test_the_base_model_speaks_every_line(voice: ToyVoice) -> None:
    assert voice.base.verdict is not None and len(voice.base.verdict.lines) == len(LINES)
    assert voice.base.ending is None and voice.base.draw is None
