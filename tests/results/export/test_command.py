"""Options of the export command: layouts, the hub, and invalid options."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from results.export import __main__ as export
from results.export.adapter_manifest import MANIFEST, read_manifest
from results.export.export import ExportOptions
from results.export.hub_upload import check_front_matter, plan_upload, push
from results.run.ledger import Ledger, SearchEnded, read_ledger
from results.run.run_folder import RunFolder
from spaces.errors import InputError
from spaces.space import load_space
from tests.support import made_runs, toy_family
from tests.support.toy_run import command, end, keep_checkpoint, make_empty, make_run, outcome
from tests.support.voices import tone
from trainable.probe.criteria.criteria_table import Flag
from trainable.speech.audio import write_audio

HUB = "somebody/a-voice"
BASE = ExportOptions(base="Qwen/Qwen3-TTS-12Hz-1.7B-Base")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> RunFolder:
    """A run that the tests do not change."""
    folder = tmp_path_factory.mktemp("finished")
    return make_run(make_empty(folder), folder)


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory) -> Path:
    return export.export_trial(finished, "t2", tmp_path_factory.mktemp("exported") / "out", BASE)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--merged", "--layout", "vector"], "leave one out"),
        (["--layout", "peft"], "expected one of vector, with_reference, whole"),
        (["--licence", "mine, all mine"], "expected an identifier such as cc-by-4.0"),
        (["--dry-run"], "give --push NAME/MODEL too"),
        (["--push", "a/b/c"], "expected NAME/MODEL"),
        (["--push", HUB], "expected the hub id of the base model"),
        (["--push", HUB, "--base", "no id"], "export with --base NAME/MODEL"),
    ],
)
def test_invalid_options_are_refused_before_anything_is_written(finished, tmp_path, options, said):
    code, printed = command(export.export, finished.path, tmp_path / "out", *options)
    assert (code, said in printed) == (2, True), printed
    assert not list(tmp_path.iterdir())


def test_a_layout_with_a_recording_needs_the_unchanged_dataset(finished, tmp_path):
    code, printed = command(export.export, finished.path, tmp_path / "out", "--layout", "with_reference")
    assert (code, "has changed since the search" in printed) == (2, True)
    assert not list(tmp_path.iterdir())


def test_a_dry_run_lists_what_would_be_uploaded(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("results.export.hub_upload.push", lambda upload: pytest.fail("a dry run uploads nothing"))
    options = ["--push", HUB, "--dry-run", "--base", BASE.base, "--licence", "CC-BY-4.0"]
    code, printed = command(export.export, finished.path, tmp_path / "out", *options)
    assert code == 0
    names = {line.split()[-1] for line in printed.split(f"would upload to {HUB}")[1].splitlines()[1:]}
    assert names == {"README.md", "recipe.toml", "sample.wav", "toy.safetensors", MANIFEST}
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert (card.data.base_model, card.data.license) == (BASE.base, "cc-by-4.0")


def test_without_a_token_the_export_is_kept_and_the_message_says_how_to_log_in(exported, monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(InputError, match="hf auth login.*the export itself is complete"):
        push(plan_upload(exported, HUB))


def test_without_a_network_the_message_does_not_hold_the_token(exported, monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_secret")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="cannot be reached") as told:
        push(plan_upload(exported, HUB))
    assert "hf_secret" not in str(told.value)


def test_a_file_that_was_changed_is_not_uploaded(finished, tmp_path):
    out = export.export_trial(finished, "t1", tmp_path / "out", BASE)
    write_audio(out / "sample.wav", tone(1.0))
    with pytest.raises(InputError, match=r"sample\.wav: has changed since the export"):
        plan_upload(out, HUB)
    (out / "sample.wav").unlink()
    with pytest.raises(InputError, match=r"sample\.wav: has changed since the export"):
        plan_upload(out, HUB)


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("license: mit", "got None"),
        ("base_model: ''\nlicense: mit", "got ''"),
        ("base_model: checkpoint\nlicense: mit", "got 'checkpoint'"),
        ("base_model: a/b", "no license, which the hub needs"),
        ("base_model: [", "cannot be read"),
    ],
)
def test_front_matter_that_the_hub_would_refuse(tmp_path, front, said):
    card = tmp_path / "README.md"
    card.write_text(f"---\n{front}\n---\n\n# A voice\n")
    with pytest.raises(InputError, match=said):
        check_front_matter(card)


def test_the_recipe_fixes_the_draw_of_the_trial(finished, exported):
    space = load_space(str(exported / "recipe.toml"))
    history = read_ledger(finished.ledger)
    drawn = history.outcomes["t2"].draw
    values = {name: domain.boundary_values() for name, domain in space.draw.items()}
    assert all(len(each) == 1 for each in values.values())
    assert space.to_draw({name: each[0] for name, each in values.items()}) == drawn
    assert space.objective[drawn.objective].band == history.band_of("t2")
    assert space.budget.trials == 1
    assert space.probe.model_dump() == load_space("demo").probe.model_dump()


def test_samples_are_copied_from_the_run_beside_the_base(run, tmp_path):
    for folder in (run.trial("t2"), run.base):
        write_audio(folder / "probe" / "line 0.wav", tone(1.0))
    out = export.export_trial(run, "t2", tmp_path / "out")
    assert (out / "samples" / "line_00.wav").read_bytes() == (run.base / "probe" / "line 0.wav").read_bytes()
    assert "| line 0 | [listen](samples/line_00.wav) | [listen](samples/base_00.wav) |" in (
        out / "README.md"
    ).read_text(encoding="utf-8")
    assert not (out / "samples" / "line_01.wav").exists()


def rejected(run: RunFolder, model: Path, trial: str, failed: int, kept: bool = True) -> None:
    flag = Flag.GARBLED
    heard = made_runs.verdict([0.1] * failed, (f"{failed} of {failed} lines failed",), flag)
    checkpoint = keep_checkpoint(run, model, trial, 0.2) if kept else None
    end(run, outcome(trial, verdict=heard, checkpoint=checkpoint))


def test_force_exports_the_nearest_that_kept_a_checkpoint_and_marks_it(empty, tmp_path):
    code, printed = command(export.export, empty.path, tmp_path / "out", "--force")
    assert (code, "no trial has ended" in printed) == (3, True)
    rejected(empty, tmp_path / "toy model", "t1", 1, kept=False)
    code, printed = command(export.export, empty.path, tmp_path / "out", "--force")
    assert (code, "--force has nothing to export" in printed) == (3, True)
    rejected(empty, tmp_path / "toy model", "t2", 2)
    code, printed = command(export.export, empty.path, tmp_path / "out")
    assert code == 3
    code, printed = command(export.export, empty.path, tmp_path / "out", "--force")
    assert (code, "trial t2, rejected" in printed) == (0, True)
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert "> **Not accepted.** This trial was rejected by the probe" in card.text
    assert "not-accepted" in card.data.tags
    assert not read_manifest(tmp_path / "out").accepted


def test_force_changes_nothing_where_a_trial_was_accepted(finished, tmp_path):
    code, printed = command(export.export, finished.path, tmp_path / "out", "--force")
    assert (code, "trial t2, accepted" in printed) == (0, True)


def test_an_export_is_possible_before_and_after_the_search_has_ended(run, tmp_path):
    assert read_ledger(run.ledger).ended is None
    before = export.export_trial(run, "t2", tmp_path / "before")
    Ledger(run.ledger).append(SearchEnded(reason="5 trials"))
    after = export.export_trial(run, "t2", tmp_path / "after")
    assert read_manifest(before) == read_manifest(after)


def test_a_checkpoint_merged_from_an_accepted_trial_must_be_accepted(finished, tmp_path):
    """The verdicts of this run are made up, but the recogniser that probes the merged checkpoint is real."""
    code, printed = command(export.export, finished.path, tmp_path / "out", "--merged")
    assert (code, "the checkpoint merged from it was rejected" in printed) == (1, True), printed
    assert not list(tmp_path.iterdir())


def test_a_rejected_trial_can_be_merged_and_has_a_new_verdict(finished, tmp_path):
    out = export.export_trial(finished, "t3", tmp_path / "out", ExportOptions(toy_family.ToyLayout.WHOLE))
    merged = read_manifest(out).merged
    assert merged.difference <= merged.tolerance
    assert not merged.verdict.accepted and len(merged.verdict.lines) == 4
    assert "it was probed again: rejected" in (out / "README.md").read_text(encoding="utf-8")
    assert all((out / line.audio).is_file() for line in merged.verdict.lines)


def test_a_merged_checkpoint_that_speaks_differently_is_not_exported(finished, tmp_path, monkeypatch):
    own = toy_family.ToyLearner.speak

    def speak(self, prompts, sampling):
        return [dataclasses.replace(spoken, wave=2 * spoken.wave) for spoken in own(self, prompts, sampling)]

    monkeypatch.setattr(toy_family.ToyLearner, "speak", speak)
    code, printed = command(export.export, finished.path, tmp_path / "out", "--trial", "t3", "--merged")
    assert (code, "waves differ from the adapter's" in printed) == (1, True), printed
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_outside_the_run_is_not_read(run, tmp_path):
    lines = run.ledger.read_text().splitlines()
    changed = [line.replace('"checkpoint":"checkpoints/', '"checkpoint":"../../../checkpoints/') for line in lines]
    assert changed != lines
    run.ledger.write_text("\n".join(changed) + "\n")
    code, printed = command(export.export, run.path, tmp_path / "out", "--trial", "t2")
    assert (code, "outside the run" in printed) == (2, True)


def test_a_manifest_cannot_name_files_outside_its_folder(exported, tmp_path):
    record = json.loads((exported / MANIFEST).read_text())
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / MANIFEST).write_text(json.dumps({**record, "files": {"../secret": "0" * 64}}))
    (tmp_path / "secret").write_text("mine")
    with pytest.raises(InputError, match="has changed since the export"):
        plan_upload(folder, HUB)
