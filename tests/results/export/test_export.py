import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from huggingface_hub import ModelCard

from results.export import __main__ as export
from results.export.adapter_manifest import MANIFEST, read_manifest
from results.export.card import base_name
from spaces.probe_settings import Sampling
from spaces.records.trial import Ending
from tests.support import made_runs, toy_family
from tests.support.toy_run import TOY, command, end, outcome
from trainable.family.protocol import SpeechPrompt
from trainable.probe.criteria.criteria_table import Flag


def beside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.iterdir() if path.name.startswith("."))


def test_the_best_accepted_adapter_is_exported_and_verified(run, tmp_path):
    code, said = command(export.export, run.path, tmp_path / "out")
    assert code == 0
    assert "trial t2, accepted" in said
    out = tmp_path / "out"
    files = {"README.md", "recipe.toml", "sample.wav", "toy.safetensors"}
    assert {path.name for path in out.iterdir()} == {*files, MANIFEST}
    assert beside(out) == []

    exported = read_manifest(out)
    assert exported.files == {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in files}
    assert (exported.trial, exported.family, exported.seed, exported.language) == ("t2", TOY, 1, "auto")
    assert exported.outcome.verdict.score == pytest.approx(0.85)
    assert exported.sampling == Sampling(temperature=0.5, subtalker_temperature=0.5)
    assert exported.sample_text == "line 0"
    sample, rate = soundfile.read(out / "sample.wav", dtype="float32")
    spoken = toy_family.load_exported(out, None).speak(SpeechPrompt("line 0", 1, 100), exported.sampling)
    assert rate == 24_000
    assert np.abs(sample - spoken.wave).max() < 1e-4


def test_the_card_has_front_matter_that_the_hub_accepts_and_no_path_of_this_machine(run, tmp_path):
    out = export.export_trial(run, "t2", tmp_path / "out")
    card = ModelCard.load(out / "README.md")
    assert card.data.base_model == "toy model"
    assert (card.data.library_name, card.data.tags[0]) == ("safetensors", "toy")
    for words in (
        "Accepted; 0 of 2 lines failed (95 % confidence interval of the failure rate: 0%–66%); score 0.850.",
        "with a 95 % interval: +0.350 (-0.285 to +0.985), no different",
        "distance loss 2.000 (the objective) after 2.00 epochs; distance loss 2.000, doubled loss 4.000, in squared",
        'load_file("DIR/toy.safetensors")',
        "- vector_lr: 0.001",
        "its speaker has agreed to",
        "Licence of the voice: unknown",
        "dataset fingerprint `" + "f" * 64,
        '--space DIR/recipe.toml --model "path/to/toy model" --data voice --trials 1 --seed 1',
    ):
        assert words in card.text
    assert str(tmp_path) not in card.text


def test_a_rejected_trial_can_be_exported_and_its_card_says_so(run, tmp_path):
    code, said = command(export.export, run.path, tmp_path / "out", "--trial", "t3")
    assert (code, "rejected by the probe" in said) == (0, True)
    assert "**Rejected: 2 of 2 lines failed**" in (tmp_path / "out" / "README.md").read_text()


def test_a_model_that_speaks_differently_after_loading_is_not_exported(run, tmp_path, monkeypatch):
    def forgets_the_vector(learner, request, folder):
        learner.load_tensors({"vector": torch.zeros(toy_family.WIDTH)})
        written(learner, request, folder)
        learner.load_tensors({"vector": torch.ones(toy_family.WIDTH)})

    written = toy_family.export
    earlier = export.export_trial(run, "t1", tmp_path / "out")
    monkeypatch.setattr(toy_family, "export", forgets_the_vector)
    code, said = command(export.export, run.path, tmp_path / "out")
    assert (code, "Nothing was exported" in said) == (1, True)
    assert read_manifest(earlier).trial == "t1"
    assert beside(earlier) == []
    code, _ = command(export.export, run.path, tmp_path / "new")
    assert (code, (tmp_path / "new").exists()) == (1, False)


def test_an_earlier_export_is_replaced_whole(run, tmp_path):
    out = export.export_trial(run, "t1", tmp_path / "out")
    stale = out.with_name(".out.part")
    stale.mkdir()
    (stale / "cut off").touch()
    assert export.export_trial(run, "t2", tmp_path / "out") == out
    assert read_manifest(out).trial == "t2"
    assert beside(out) == []


def file_in_it(out):
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    return "not empty"


def file_beside_an_export(out):
    command(export.export, out.parent / "run", out)
    (out / "thesis.txt").write_text("mine")
    return "holds thesis.txt beside an earlier export"


def itself_a_file(out):
    out.write_text("mine")
    return "is a file"


def below_a_file(out):
    out.parent.joinpath("taken").write_text("")
    out.symlink_to(out.parent / "taken" / "deeper")
    return "cannot be written"


@pytest.mark.parametrize("make", [file_in_it, file_beside_an_export, itself_a_file, below_a_file])
def test_a_folder_with_other_content_is_refused_and_unchanged(run, tmp_path, make):
    out = tmp_path / "out"
    reason = make(out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    code, said = command(export.export, run.path, out)
    assert code == 2
    assert reason in said
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_an_empty_folder_is_used(run, tmp_path):
    (tmp_path / "out").mkdir()
    assert command(export.export, run.path, tmp_path / "out")[0] == 0


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        ("t9", "trial t9 is unknown; trials that can be exported: t1, t2, t3"),
        ("t5", "trial t5 has not ended"),
        ("t4", "trial t4 kept no checkpoint (hopeless: too slow)"),
    ],
)
def test_trials_that_cannot_be_exported_are_refused(run, tmp_path, trial, said):
    code, printed = command(export.export, run.path, tmp_path / "out", "--trial", trial)
    assert (code, said in printed) == (2, True)
    assert not (tmp_path / "out").exists()


def test_a_missing_checkpoint_is_refused(run, tmp_path):
    for path in (run.trial("t2") / "checkpoints").glob("*"):
        path.rename(tmp_path / path.name)
    code, said = command(export.export, run.path, tmp_path / "out")
    assert (code, "cannot be rebuilt" in said) == (2, True)


def test_nothing_accepted_names_the_nearest(empty, tmp_path):
    code, said = command(export.export, empty.path, tmp_path / "out")
    assert (code, "no trial has ended" in said) == (3, True)
    end(empty, outcome("t1", Ending.HOPELESS, reason="too slow"))
    code, said = command(export.export, empty.path, tmp_path / "out")
    assert (code, "The nearest was t1, hopeless: too slow" in said) == (3, True)
    end(empty, outcome("t2", verdict=made_runs.verdict([0.1], ("1 of 1 lines failed",), Flag.GARBLED)))
    code, said = command(export.export, empty.path, tmp_path / "out")
    assert (code, "The nearest was t2, rejected: 1 of 1 lines failed" in said) == (3, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("base_model", "named"),
    [
        ("Qwen/Qwen3-TTS-12Hz-1.7B-Base", "Qwen/Qwen3-TTS-12Hz-1.7B-Base"),
        ("/home/somebody/models/my base", "my base"),
    ],
)
def test_a_base_is_named_without_its_path(base_model, named):
    assert base_name(base_model) == named
