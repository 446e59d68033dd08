"""Several speakers, several sources, and `hours`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.datasets import add_reference, look, only, record, write_rows
from tests.support.voices import make_voice
from trainable.dataset.finding import errors
from trainable.dataset.loading.load import open_dataset
from trainable.dataset.source import Source


def two_speakers(folder: Path, **of_anna: object) -> Path:
    rows = [
        {"audio_filepath": record(folder / f"{name}{place}.wav", 1 + place).name, "text": "so", "speaker": name}
        for place in range(2)
        for name in ("anna", "bo")
    ]
    rows[0] |= of_anna
    write_rows(folder / "metadata.jsonl", *rows)
    for name in ("anna", "bo"):
        record(folder / "refs" / f"{name}.wav", 10.0).with_suffix(".txt").write_text(f"I am {name}")
    return folder


def test_several_speakers_have_their_own_references(tmp_path: Path) -> None:
    dataset, findings = look(two_speakers(tmp_path / "voices"))
    assert [(each.name, each.reference.text) for each in dataset.speakers] == [("anna", "I am anna"), ("bo", "I am bo")]
    assert findings == []


def test_a_row_may_name_its_speakers_reference(tmp_path: Path) -> None:
    folder = two_speakers(tmp_path / "voices", ref_audio="own.wav", ref_text="mine")
    record(folder / "own.wav", 11.0)
    assert [each.reference.text for each in look(folder)[0].speakers] == ["mine", "I am bo"]


def test_a_speaker_without_a_reference(tmp_path: Path) -> None:
    folder = two_speakers(tmp_path / "voices")
    (folder / "refs" / "bo.wav").unlink()
    message = only(look(folder)[1]).message
    assert "no reference for bo, refs/bo.wav and refs/bo.txt missing; bo1.wav would do best" in message
    dataset, findings = look(folder, auto_reference=True)
    assert findings == []
    assert [each.reference.audio.name for each in dataset.speakers] == ["anna.wav", "bo1.wav"]


def test_a_speakers_name_is_no_path(tmp_path: Path) -> None:
    folder = two_speakers(tmp_path / "voices", speaker="../../secret")
    record(tmp_path / "secret.wav").with_suffix(".txt").write_text("a secret")
    assert "no reference for ../../secret" in only(look(folder)[1]).message


def test_an_only_speaker_has_no_name(tmp_path: Path) -> None:
    voice = make_voice(tmp_path / "voice")
    lines = (voice / "metadata.jsonl").read_text().splitlines()
    write_rows(voice / "metadata.jsonl", *(json.loads(line) | {"speaker": "anna"} for line in lines))
    dataset, findings = look(voice)
    assert findings == [] and [speaker.name for speaker in dataset.speakers] == [""]


def test_sources_are_joined_in_their_order(tmp_path: Path) -> None:
    voice, voices = make_voice(tmp_path / "voice"), two_speakers(tmp_path / "voices")
    dataset, findings = look(f"{voices},weight=0.5", voice)
    assert findings == []
    assert dataset.weights == (0.5, 1.0)
    assert dataset.names == (f"{voices},weight=0.5", str(voice))
    assert [(each.source, each.name) for each in dataset.speakers] == [(0, "anna"), (0, "bo"), (1, "")]
    assert [dataset.speaker_index(clip) for clip in dataset.clips] == [0, 1, 0, 1] + [2] * 8


def test_a_missing_source_does_not_hide_errors_of_others(tmp_path: Path) -> None:
    voice = make_voice(tmp_path / "voice")
    (voice / "clip_00.wav").unlink()
    dataset, findings = look(tmp_path / "nowhere", voice)
    assert [finding.check for finding in errors(findings)] == ["format", "missing-audio"]
    assert {clip.source for clip in dataset.clips} == {1}


@pytest.mark.parametrize(("seconds", "clips"), [(0.5, 1), (3.5, 1), (4.5, 2), (7.0, 3), (100.0, 3)])
def test_hours_take_the_first_clips(tmp_path: Path, seconds: float, clips: int) -> None:
    folder = tmp_path / "voice"
    names = [record(folder / f"{place}.wav", 2.25).name for place in range(3)]
    write_rows(folder / "metadata.jsonl", *({"audio_filepath": name, "text": name} for name in names))
    add_reference(folder)
    assert [clip.text for clip in look(f"{folder},hours={seconds / 3600}")[0].clips] == names[:clips]


def test_progress_is_reported(tmp_path: Path) -> None:
    progress: list[tuple[str, int, int]] = []
    source = Source(path=make_voice(tmp_path / "voice"))
    open_dataset([source], False, tmp_path / "cache", lambda *step: progress.append(step))
    assert ("measuring voice", 8, 8) in progress


def test_opening_loads_nothing_heavy(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from trainable.dataset.loading.load import load_dataset
from trainable.dataset.source import Source
load_dataset([Source(path=Path(sys.argv[1]))], False, Path(sys.argv[2]))
print(*{"torch", "torchaudio", "transformers", "datasets", "pyarrow", "ray"} & set(sys.modules))
"""
    command = [sys.executable, "-c", script, str(make_voice(tmp_path / "voice")), str(tmp_path / "cache")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == ""
