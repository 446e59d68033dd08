"""Whole trials of the toy family: how they end, what they leave, and that nothing is done twice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from spaces.band import Band
from spaces.draw import Draw
from spaces.ending import Ending
from spaces.job import Job
from spaces.probe_settings import ProbeSettings
from spaces.trial import Outcome, Phase, Point
from tests import toy_family
from tests.voices import make_voice
from trainable import training
from trainable.checkpoint import read_checkpoints
from trainable.foundation import lay_foundation
from trainable.loop import run_trial
from trainable.trial_folder import TrialFolder

LINES = (
    "one plain sentence to speak for everybody",
    "another plain sentence here for the probe",
    "a third one that is rather longer than those",
    "and the fourth of all the lines to speak",
    "five is the last one of these lines",
)
BAND = Band(low=0.6, high=1.0)


@dataclass(frozen=True)
class Bench:
    """A toy voice, prepared, and its base model's verdict."""

    root: Path
    probe: ProbeSettings
    base: Outcome

    def job(self, name: str, band: Band = BAND, **changes) -> Job:
        recipe = {
            "objective": "aligned",
            "rank": 4,
            "alpha_ratio": 1,
            "lora_lr": 0.3,
            "text_projection_lr": 0.03,
            "epochs": 20,
            "targets": "linear",
            "batch": 2,
            "accumulation": 1,
        }
        return Job(
            trial=name,
            folder=str(self.root / name),
            family="tests.toy_family",
            model=str(self.root / "model"),
            prepared=str(self.root / "prepared"),
            calibration=str(self.root / "base" / "calibration.json"),
            language="auto",
            seed=0,
            draw=Draw(**{**recipe, **changes}),
            band=band,
            probe=self.probe,
        )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    root = tmp_path_factory.mktemp("bench")
    (root / "lines.txt").write_text("\n".join(LINES))
    settings = ProbeSettings(lines=str(root / "lines.txt"))
    toy_family.make_toy_model(root / "model")
    base = lay_foundation(
        make_voice(root / "voice"),
        False,
        "tests.toy_family",
        str(root / "model"),
        "auto",
        0,
        settings,
        root / "prepared",
        root / "base",
        lambda what, done, of: None,
    )
    return Bench(root, settings, base)


def never_called(point: Point, phase: Phase) -> None:
    raise AssertionError("the trial was run again")


@pytest.mark.parametrize(
    ("name", "changes", "ending", "probed"),
    [
        ("in_band", {}, Ending.IN_BAND, True),
        ("hopeless", {"lora_lr": 1e-4, "text_projection_lr": 1e-5}, Ending.HOPELESS, False),
        ("exhausted", {"lora_lr": 0.05, "epochs": 2}, Ending.EXHAUSTED, False),
        ("overshot", {"band": Band(low=2.0, high=2.001)}, Ending.OVERSHOT, True),
    ],
)
def test_endings(bench: Bench, name: str, changes: dict, ending: Ending, probed: bool) -> None:
    outcome = run_trial(bench.job(name, **changes), lambda point, phase: None)
    assert outcome.ending is ending, outcome.reason
    assert (outcome.verdict is not None) == probed
    assert TrialFolder(bench.root / name).read_outcome() == outcome


def test_a_loss_that_is_not_finite_ends_the_trial_and_is_written_down(bench: Bench) -> None:
    far = toy_family.make_toy_model(bench.root / "far", start=1e30)
    job = bench.job("diverged").model_copy(update={"model": str(far)})
    outcome = run_trial(job, lambda point, phase: None)
    assert outcome.ending is Ending.DIVERGED and outcome.checkpoint is None
    assert outcome.point is not None and outcome.point.loss == float("inf")
    assert TrialFolder(bench.root / "diverged").read_outcome() == outcome


def test_a_trial_in_the_band_is_probed_at_its_checkpoint(bench: Bench) -> None:
    outcome = run_trial(bench.job("probed"), lambda point, phase: None)
    assert outcome.kept is not None and outcome.kept.loss in BAND
    assert outcome.verdict is not None and outcome.verdict.accepted
    assert [line.text for line in outcome.verdict.lines] == list(LINES)
    for line in outcome.verdict.lines:
        assert (bench.root / "probed" / line.audio).is_file()
    [checkpoint] = read_checkpoints(bench.root / "probed" / "checkpoints")
    assert str(checkpoint.folder.relative_to(bench.root / "probed")) == outcome.checkpoint


def test_an_overshot_trial_goes_back_above_the_floor(bench: Bench) -> None:
    outcome = run_trial(bench.job("over", band=Band(low=2.0, high=2.001)), lambda point, phase: None)
    assert outcome.point is not None and outcome.point.loss < 2.0
    assert outcome.kept is not None and outcome.kept.loss >= 2.0


def test_what_an_overshot_trial_goes_back_to_does_not_depend_on_the_speed_of_the_disk(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    for name, share in (("idle disk", 1e9), ("busy disk", 1e-9)):
        monkeypatch.setattr(training, "WRITING_SHARE", share)
        slow = {"lora_lr": 0.06, "text_projection_lr": 0.0}
        outcome = run_trial(bench.job(name, band=Band(low=1.2, high=1.2001), **slow), lambda point, phase: None)
        assert outcome.ending is Ending.OVERSHOT and outcome.kept is not None
        assert outcome.kept.epoch > 1, "expected more than the first checkpoint, which is always written"
        [checkpoint] = read_checkpoints(bench.root / name / "checkpoints")
        kept.append((outcome.kept.step, outcome.kept.losses, checkpoint.read().weights["lora.weight"].tolist()))
    assert kept[0] == kept[1]


def test_an_ended_trial_is_not_run_again(bench: Bench) -> None:
    first = run_trial(bench.job("once"), lambda point, phase: None)
    assert run_trial(bench.job("once"), never_called) == first


def test_a_trial_cut_off_while_probing_probes_again_without_training(bench: Bench) -> None:
    class Cut(Exception):
        pass

    def cut(point: Point, phase: Phase) -> None:
        if phase is Phase.PROBING:
            raise Cut

    with pytest.raises(Cut):
        run_trial(bench.job("cut"), cut)
    assert TrialFolder(bench.root / "cut").read_outcome() is None
    seen: list[int] = []
    outcome = run_trial(bench.job("cut"), lambda point, phase: seen.append(point.step))
    whole = run_trial(bench.job("uncut"), lambda point, phase: None)
    assert set(seen) == {outcome.point.step}
    assert outcome.verdict == whole.verdict and outcome.ending is whole.ending


def test_a_stopped_trial_is_cancelled_in_good_order(bench: Bench) -> None:
    steps: list[int] = []
    outcome = run_trial(bench.job("stopped"), lambda point, phase: steps.append(point.step), lambda: len(steps) > 1)
    assert outcome.ending is Ending.CANCELLED and outcome.verdict is None
    assert outcome.checkpoint is not None


def test_the_curve_starts_at_step_0_and_misses_no_step(bench: Bench) -> None:
    outcome = run_trial(bench.job("steps"), lambda point, phase: None)
    points = TrialFolder(bench.root / "steps").read_points()
    assert [point.step for point in points] == list(range(len(points)))
    assert points[-1] == outcome.point
    assert points[0].clips == 0 and points[0].loss > points[-1].loss


def test_row_zero_speaks_every_line(bench: Bench) -> None:
    assert bench.base.verdict is not None and len(bench.base.verdict.lines) == len(LINES)
    assert bench.base.ending is None and bench.base.draw is None
