"""The command line: the plan that its options make, and the options that it refuses."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from results.run.ledger import Ledger
from search.checking import checks
from search.planning.arguments import Arguments
from search.planning.execution_mode import ExecutionMode
from search.planning.plan import DEMO_VOICE, make_plan
from spaces.errors import InputError
from spaces.families import FAMILIES
from spaces.space import FOLDER, Budget
from tests.support.made_runs import started
from tests.support.run_command import app
from tests.support.toy_search import toy_plan
from tests.support.voices import make_voice
from trainable.dataset.source import Source

NOW = datetime(2026, 1, 2, 3, 4, 5)
SPACE = (FOLDER / "voice.toml").read_text()


@pytest.fixture(autouse=True)
def no_ray_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ray may be running on the machine of the tests."""
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "none"))


@pytest.fixture(autouse=True)
def no_recogniser_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Whisper in a cache, and no hub."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    return make_voice(tmp_path / "voice")


def source(folder: Path) -> Source:
    return Source.parse(str(folder))


def plan(environment: dict[str, str] | None = None, **typed):
    return make_plan(Arguments(**typed), NOW, environment or {})


def test_without_options_and_without_a_cluster_it_is_the_demo():
    made = plan()
    assert (made.space.name, made.sources, made.address, made.is_demo) == ("demo", (source(DEMO_VOICE),), "local", True)
    assert made.run.path == Path("runs/demo-20260102-030405").resolve()
    assert made.budget == made.space.budget


def test_a_voice_of_ones_own_is_searched_in_the_voice_space(voice):
    made = plan(data=(str(voice),), trials=5, accept=2, hours=1.5, seed=7, model="somebody/model", auto_ref=True)
    assert (made.space.name, made.sources, made.model, made.seed) == ("voice", (source(voice),), "somebody/model", 7)
    assert (made.budget.trials, made.budget.accept, made.budget.hours) == (5, 2, 1.5)
    assert made.family == "trainable.qwen3_tts.family" and made.auto_reference
    assert made.run.path.name == "voice-20260102-030405"


def test_a_folder_in_which_a_search_was_refused_counts_as_new(tmp_path):
    refused = toy_plan(tmp_path)
    (refused.run.ray / "tune").mkdir(parents=True)
    checks.check_plan(refused)
    (refused.run.path / "a file").touch()
    with pytest.raises(InputError, match="new or empty folder"):
        checks.check_plan(refused)


def test_the_execution_mode_can_be_chosen():
    assert plan().mode == ExecutionMode()
    assert plan(mode=ExecutionMode(seats=3, max_benches=2)).mode == ExecutionMode(seats=3, max_benches=2)


def test_draws_that_cannot_be_packed_run_in_isolation_with_a_reason(tmp_path, monkeypatch):
    """The toy family has no check module, so nothing speaks against packing it."""
    packable = toy_plan(tmp_path)
    assert checks.choose_mode(packable) == (packable, None)
    (tmp_path / "choosy_check.py").write_text(
        "def why_not_packed(model, shape): return f'batch {shape.batch} is too large'"
    )
    monkeypatch.syspath_prepend(tmp_path)
    choosy_entry = dataclasses.replace(FAMILIES["toy"], module="choosy_family", check="choosy_check")
    monkeypatch.setitem(FAMILIES, "choosy", choosy_entry)
    choosy = dataclasses.replace(packable, family="choosy_family")
    assert checks.choose_mode(choosy) == (
        dataclasses.replace(choosy, mode=ExecutionMode(isolate=True)),
        "batch 1 is too large",
    )
    isolated = dataclasses.replace(choosy, mode=ExecutionMode(isolate=True))
    assert checks.choose_mode(isolated) == (isolated, None)


def test_the_demo_can_be_asked_for_on_a_cluster():
    assert plan({"RAY_ADDRESS": "10.0.0.1:6379"}, space="demo").address == "10.0.0.1:6379"
    assert plan({"RAY_ADDRESS": "10.0.0.1:6379"}, address="local").is_demo


def test_a_resumed_search_is_the_one_that_was_started(tmp_path):
    first = started(model="somebody/model")
    Ledger(tmp_path / "ledger.jsonl").append(first)
    made = plan(out=tmp_path, resume=True, trials=40, data=(str(tmp_path / "moved"),))
    assert (made.family, made.model, made.seed, made.space.name) == (first.family, first.model, first.seed, "demo")
    assert made.space.model_dump(mode="json") == first.space
    assert (made.budget.trials, made.sources, made.resume) == (40, (source(tmp_path / "moved"),), True)
    assert plan(out=tmp_path, resume=True).sources == (source("/voices/voice"),)


def test_a_resumed_search_keeps_the_budget_that_was_asked_for_last(tmp_path):
    """Its space may be given again, but need not be."""
    ledger, first = Ledger(tmp_path / "ledger.jsonl"), started()
    for budget in ({"trials": 30, "hours": 2}, {"trials": 30, "hours": 5, "gpu_hours": 1.5, "patience": 4}):
        ledger.append(first.model_copy(update={"space": {**first.space, "budget": budget}}))
    assert plan(out=tmp_path, resume=True).budget == Budget(trials=30, hours=5, gpu_hours=1.5, patience=4)
    changed = plan(out=tmp_path, resume=True, gpu_hours=3.0, trials=31, space="demo")
    assert changed.budget == Budget(trials=31, hours=5, gpu_hours=3, patience=4)


def heard(**probe: str):
    """The first line of a search in the voice space whose probe was chosen, or said, as this."""
    said = plan(data=("/voices/voice",), language="en").space
    probe = {"recogniser": "pocketsphinx", "lines": "english", "language": "en", **probe}
    space = said.model_copy(update={"probe": said.probe.model_copy(update=probe)})
    return started().model_copy(update={"space": space.model_dump(mode="json"), "model": space.model})


def test_a_resumed_search_hears_as_it_was_recorded(tmp_path):
    """Its options may be given again, and those that say less."""
    Ledger(tmp_path / "ledger.jsonl").append(heard())
    again = {"out": tmp_path, "resume": True}
    for options in ({}, {"space": "voice"}, {"space": "voice", "language": "english"}, {"recogniser": "pocketsphinx"}):
        probe = plan(**again, **options).space.probe
        assert (probe.recogniser, probe.lines, probe.language) == ("pocketsphinx", "english", "en")
    for options, told in (
        ({"language": "no"}, "--language differs from the one this search started with, which is en"),
        ({"recogniser": "none"}, "--recogniser differs from the one this search started with, which is pocketsphinx"),
        ({"space": "alexandria"}, "--space differs"),
    ):
        with pytest.raises(InputError, match=told):
            plan(**again, **options)


@pytest.mark.parametrize(
    ("model", "language", "expected"),
    [
        ("Qwen/Qwen3-TTS-12Hz-1.7B-Base", "de", ("german", "de")),
        ("Qwen/Qwen3-TTS-12Hz-1.7B-Base", "Norwegian", ("auto", "no")),
        (str(FOLDER.parent / "demo" / "checkpoint"), "en", ("english", "en")),
        (str(FOLDER.parent / "demo" / "checkpoint"), "de", ("auto", "de")),
    ],
)
def test_a_language_is_that_of_the_model_where_it_knows_it(tmp_path, model, language, expected):
    path = with_space(tmp_path, 'lines = "auto"', 'lines = "english"')
    made = plan(data=("/voices/voice",), space=path, model=model, language=language).space
    assert (made.language, made.probe.language) == expected and made.probe.lines == "auto"


def test_sources_keep_their_order(voice):
    made = plan(data=(f"{voice},weight=0.5", "hf:somebody/voices:nb:train"), max_audio_hours=2.5)
    assert made.sources == tuple(
        Source.parse(text) for text in (f"{voice},weight=0.5,hours=2.5", "hf:somebody/voices:nb:train,hours=2.5")
    )
    assert made.run.path.name == "voice-20260102-030405"
    with pytest.raises(InputError, match="given twice.*weight=2"):
        plan(data=(str(voice), str(voice)))


def clip(voice: Path) -> Path:
    return voice / "clip_00.wav"


def with_space(tmp_path: Path, old: str, new: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(SPACE.replace(old, new))
    return str(path)


def with_search(folder: Path) -> Path:
    Ledger(folder / "ledger.jsonl").append(started())
    return folder


def no_clips(voice: Path) -> None:
    (voice / "metadata.jsonl").write_text("")


def no_audio(voice: Path) -> None:
    clip(voice).unlink()


def unreadable(voice: Path) -> None:
    clip(voice).write_bytes(b"no audio at all")


def empty(voice: Path) -> None:
    soundfile.write(clip(voice), np.zeros(0, np.float32), 24_000)


def no_reference(voice: Path) -> None:
    (voice / "ref.wav").unlink()


@pytest.mark.parametrize(
    ("spoil", "messages"),
    [
        (shutil.rmtree, ["no such folder", "metadata.jsonl"]),
        (no_clips, ["no clips"]),
        (no_audio, ["clip_00.wav", "transcript without audio"]),
        (unreadable, ["clip_00.wav", "not readable"]),
        (empty, ["clip_00.wav", "empty"]),
        (no_reference, ["no reference", "clip_01.wav would do best", "--auto-ref"]),
    ],
)
def test_a_dataset_that_cannot_be_used_is_refused(voice, tmp_path, spoil, messages):
    spoil(voice)
    refused(["--data", str(voice), "--out", str(tmp_path / "run"), "--model", str(tmp_path)], messages)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (lambda tmp: ["--space", "vioce"], ["no space 'vioce'", "alexandria"]),
        (
            lambda tmp: ["--space", with_space(tmp, "lora_lr", "lora_rl")],
            ["mine.toml", "lora_rl", "did you mean lora_lr"],
        ),
        (lambda tmp: ["--space", with_space(tmp, "trials = 16", "trials = 0")], ["mine.toml", "budget.trials"]),
        (lambda tmp: ["--space", with_space(tmp, 'lines = "auto"', 'lines = "klingon"')], ["no probe lines 'klingon'"]),
        (
            lambda tmp: [
                "--space",
                with_space(tmp, 'recogniser = "auto"', 'recogniser = "pocketsfinx"'),
            ],
            ["pocketsfinx", "did you mean pocketsphinx"],
        ),
        (lambda tmp: ["--space", with_space(tmp, 'lines = "auto"', 'lines = "held-out"')], ["at least 4 lines"]),
        (lambda tmp: ["--out", str(with_search(tmp / "old"))], ["holds another search", "--resume", "another --out"]),
        (lambda tmp: ["--out", str(tmp)], ["new or empty folder"]),
        (lambda tmp: ["--model", str(tmp)], ["config.json", "Qwen3-TTS"]),
        (lambda tmp: ["--resume"], ["--resume needs --out"]),
        (lambda tmp: ["--resume", "--out", str(tmp / "none")], ["no ledger"]),
        (lambda tmp: ["--resume", "--out", str(with_search(tmp / "old")), "--seed", "5"], ["--seed", "leave it out"]),
        (lambda tmp: ["--resume", "--out", str(with_search(tmp / "old"))], ["changed since this search started"]),
        (lambda tmp: ["--address", "ray://head:10001"], ["--address auto"]),
        (lambda tmp: ["--language", "klingon"], ["--language klingon", "no (norwegian)"]),
        (lambda tmp: ["--language", "no"], ["nothing here can hear Norwegian", "nb-whisper", "--recogniser none"]),
        (lambda tmp: ["--language", "no", "--recogniser", "pocketsphinx"], ["expected language en"]),
        (lambda tmp: ["--recogniser", "whispr"], ["recogniser 'whispr'", "pocketsphinx or none"]),
        (lambda tmp: [], ["do not say their language", "--language no"]),
        (lambda tmp: ["--isolate", "--seats", "3"], ["--isolate", "--seats", "leave one out"]),
    ],
)
def test_an_option_that_cannot_be_used_is_refused(voice, tmp_path, options, messages):
    refused(["--data", str(voice), *options(tmp_path)], messages)


@pytest.mark.parametrize(
    ("options", "environment", "messages"),
    [
        ([], {"RAY_ADDRESS": "10.0.0.1:6379"}, ["--data", "--space demo", "--address local"]),
        (["--address", "auto"], {}, ["--data", "--space demo"]),
        (["--space", "alexandria"], {}, ["--data"]),
    ],
)
def test_without_a_voice_the_message_says_what_to_type(options, environment, messages):
    refused(options, messages, environment)


def test_a_hub_id_without_network_is_refused(voice, tmp_path, monkeypatch):
    def unreachable(*arguments, **more):
        raise ConnectionError("no route to host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    options = ["--data", str(voice), "--out", str(tmp_path / "run"), "--model", "some/model", "--recogniser", "none"]
    refused([*options, "--language", "en"], ["some/model", "--model"])


def test_a_family_without_a_check_module_accepts_any_model():
    checks.check_model("tests.support.toy_family", "anything")
    with pytest.raises(InputError):
        checks.check_model("trainable.qwen3_tts.family", str(FOLDER))


def refused(options: list[str], messages: list[str], environment: dict[str, str] | None = None) -> None:
    answer = CliRunner().invoke(app, options, env={"RAY_ADDRESS": None, **(environment or {})})
    assert answer.exit_code == 2, answer.output
    assert "Traceback" not in answer.output
    for words in messages:
        assert words in answer.output, answer.output
