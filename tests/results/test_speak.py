import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from results import speak
from results.export import __main__ as export
from results.export.adapter_manifest import MANIFEST
from spaces.probe_settings import Sampling
from tests.support import made_runs, toy_family
from tests.support.paths import ROOT
from tests.support.toy_run import command, end, keep_checkpoint, make_empty, make_run, outcome
from trainable.family.protocol import SpeechPrompt


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """One export for all tests, because each takes a process."""
    folder = tmp_path_factory.mktemp("exported")
    return export.export_trial(make_run(make_empty(folder), folder), "t2", folder / "adapter")


@pytest.fixture
def adapter(exported, tmp_path) -> Path:
    (tmp_path / "voice").mkdir()
    return Path(shutil.copytree(exported, tmp_path / "adapter"))


def test_an_exported_adapter_speaks(adapter, tmp_path):
    code, said = command(speak.speak, adapter, " rivers run down ", tmp_path / "out.wav")
    assert code == 0
    assert "ended its sentence by itself" in said
    wave, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    expected = toy_family.load_exported(adapter, None).speak(SpeechPrompt("rivers run down", 0, 100), Sampling()).wave
    assert (rate, len(wave)) == (24_000, len(expected))


def test_a_voice_that_does_not_stop_is_reported(run, tmp_path):
    checkpoint = keep_checkpoint(run, tmp_path / "toy model", "t6", 20.0)
    end(run, outcome("t6", verdict=made_runs.verdict([0.9, 0.9]), checkpoint=checkpoint))
    adapter = export.export_trial(run, "t6", tmp_path / "endless")
    code, said = command(speak.speak, adapter, "rivers", tmp_path / "out.wav")
    assert (code, "did not end its sentence" in said) == (1, True)
    assert (tmp_path / "out.wav").is_file()


@pytest.mark.parametrize(
    ("folder", "text", "out", "said"),
    [
        ("nowhere", "hello", "out.wav", "no such folder"),
        ("voice", "hello", "out.wav", "neither an adapter (adapter_config.json) nor a checkpoint (config.json)"),
        ("adapter", " \n", "out.wav", "the text is empty"),
        ("adapter", "hello", "nowhere/out.wav", "no such folder"),
        ("adapter", "hello", "adapter", "expected a name that ends in .wav"),
        ("adapter", "hello", "folder.wav", "is a folder"),
    ],
)
def test_invalid_arguments_are_refused(adapter, tmp_path, folder, text, out, said):
    (tmp_path / "folder.wav").mkdir()
    code, printed = command(speak.speak, tmp_path / folder, text, tmp_path / out)
    assert code == 2
    assert said in printed
    assert len(printed.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"family": "tests.support.made_runs"}, "Nothing was loaded from it"),
        ({"family": "os"}, "Nothing was loaded from it"),
        ({"format": 3, "more": 1}, "update Sweetspot"),
        ({"format": 1}, "export the trial again"),
        ({"seed": "many"}, "export the trial again"),
    ],
)
def test_an_invalid_manifest_is_refused(adapter, tmp_path, change, said):
    record = adapter / MANIFEST
    record.write_text(json.dumps({**json.loads(record.read_text()), **change}))
    code, printed = command(speak.speak, adapter, "hello", tmp_path / "out.wav")
    assert (code, said in printed) == (2, True)


def test_code_that_an_adapter_names_is_not_run(adapter, tmp_path):
    (tmp_path / "planted.py").write_text("open('planted', 'w')")
    record = adapter / MANIFEST
    record.write_text(json.dumps({**json.loads(record.read_text()), "family": "planted"}))
    done = subprocess.run(
        [sys.executable, "-m", "results.speak", str(adapter), "hello", "out.wav"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "'planted'" in done.stderr
    assert not (tmp_path / "planted").exists()
