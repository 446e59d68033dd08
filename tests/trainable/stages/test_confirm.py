"""Finalists are confirmed at lower strengths and on sixty other lines, and so is the base model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spaces.records.confirmation import Confirmation
from spaces.space import load_space
from tests.support import made_runs, toy_family
from tests.support.toy_run import DRAW, POINT, TOY
from tests.support.voices import make_voice
from trainable.dataset.source import Source
from trainable.family.protocol import SeatState
from trainable.probe.criteria.calibration import Calibration
from trainable.probe.criteria.criteria_table import Flag
from trainable.stages.baseline import BaselineSettings, measure_baseline
from trainable.stages.confirm import ConfirmationSettings, Finalist, confirm
from trainable.training.checkpoint import CheckpointState, write_checkpoint

LINES = "one two three four five\nsix seven eight nine ten\nthree five eight one nine\nseven two six four two\n"
OTHERS = "nine eight seven six five\nfour three two one zero\n"


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> ConfirmationSettings:
    root = tmp_path_factory.mktemp("finals")
    voice, model = make_voice(root / "voice"), toy_family.make_toy_model(root / "model")
    (root / "lines.txt").write_text(LINES)
    (root / "lines.confirmation.txt").write_text(OTHERS)
    probe = load_space("demo").probe.model_copy(update={"lines": str(root / "lines.txt"), "recogniser": "none"})
    baseline = BaselineSettings(
        sources=(Source.parse(str(voice)),),
        auto_reference=True,
        cache=root / "cache",
        data=load_space("demo").data,
        family=TOY,
        model=str(model),
        language="auto",
        seed=1,
        probe=probe,
        prepared=root / "prepared",
        base=root / "base",
    )
    measure_baseline(baseline, lambda what, done, of: None)
    # A toy's speaker similarity depends on the text more than on the voice.
    calibration = root / "base" / "calibration.json"
    Calibration.read(calibration).model_copy(update={"similarity_least": -1.0}).write(calibration)
    return ConfirmationSettings(TOY, str(model), root / "prepared", calibration, "auto", 1, probe)


@pytest.fixture
def lora(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vector of a toy bears the name of a LoRA."""
    monkeypatch.setattr(toy_family.ToyLearner, "tensors", lambda self: {"lora_B.weight": self._vector})


def finalist(settings: ConfirmationSettings, folder: Path, vector: float, accepted: bool) -> Finalist:
    learner = toy_family.build(settings.model, settings.prepared, "auto", DRAW, 1)
    weights = {name: torch.full_like(tensor, vector).detach() for name, tensor in learner.tensors().items()}
    state = CheckpointState(draw=DRAW, seed=1, point=POINT, window=(), ending=None)
    kept = write_checkpoint(folder / "checkpoints", state, SeatState(weights, {}, 24))
    verdict = made_runs.verdict([0.5] * 4) if accepted else made_runs.verdict([0.0] * 4, ("no end",), Flag.NO_EOS)
    return Finalist("t1", folder, verdict, DRAW, kept.folder)


def confirmed(settings: ConfirmationSettings, finalist: Finalist) -> tuple[Confirmation, list[str]]:
    progress: list[str] = []
    return confirm(settings, finalist, lambda what, done, of: progress.append(f"{what} {done}/{of}")), progress


@pytest.fixture(scope="module")
def base(settings: ConfirmationSettings, tmp_path_factory) -> Confirmation:
    return confirmed(settings, Finalist("base", tmp_path_factory.mktemp("base"), made_runs.verdict([0.5] * 4)))[0]


@pytest.mark.usefixtures("lora")
def test_an_overtrained_adapter_is_confirmed_at_a_lower_strength(
    settings: ConfirmationSettings, tmp_path: Path
) -> None:
    final, progress = confirmed(settings, finalist(settings, tmp_path, vector=15.0, accepted=False))
    assert [verdict.strength for verdict in final.weaker] == [0.3, 0.5, 0.7]
    # A toy never ends when its vector is 10 or more away: at 0.7 that is 10.5, at 0.5 it is 7.5.
    assert [verdict.missed_ends > 0 for verdict in final.weaker] == [False, False, True]
    assert final.accepted and final.confirmed.strength in (0.3, 0.5)
    assert len(final.confirmed.lines) == 60 and final.unseen == 2
    assert final.instructed == ()
    assert progress[0] == "t1 at strength 0.3 0/4" and progress[-1].endswith("3/4")
    recordings = {path.parent.name: path for path in tmp_path.glob("finals/*/line_00.wav")}
    assert recordings.keys() == {"strength_0.3", "strength_0.5", "strength_0.7", "confirmation"}
    assert (tmp_path / final.confirmed.lines[59].audio).is_file()


@pytest.mark.usefixtures("lora")
def test_a_finalist_rejected_at_every_strength_is_not_confirmed(settings: ConfirmationSettings, tmp_path: Path) -> None:
    final, _ = confirmed(settings, finalist(settings, tmp_path, vector=200.0, accepted=False))
    assert final.confirmed is None and not final.accepted
    assert not any(verdict.accepted for verdict in final.weaker)


def test_the_base_model_is_confirmed_at_full_strength_only(base: Confirmation) -> None:
    assert base.weaker == () and base.confirmed.strength == 1
    assert len(base.confirmed.lines) == 60


def test_all_finalists_of_a_search_get_the_same_lines_and_the_same_judge(
    settings: ConfirmationSettings,
    base: Confirmation,
    tmp_path: Path,
) -> None:
    other, _ = confirmed(settings, finalist(settings, tmp_path / "other", vector=2.0, accepted=True))
    assert [line.text for line in base.confirmed.lines] == [line.text for line in other.confirmed.lines]
    assert base.confirmed.judge == other.confirmed.judge != ""
    another_search, _ = confirmed(
        replace(settings, seed=2), Finalist("base", tmp_path / "third", made_runs.verdict([0.5] * 4))
    )
    assert another_search.confirmed.judge != base.confirmed.judge
