"""Folders of the guide's layout: what is read, and the error for each thing that is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spaces.errors import InputError
from tests.support.voices import TEXTS, make_voice, tone
from trainable.dataset.clip import VoiceDataset
from trainable.dataset.finding import Finding, errors
from trainable.dataset.loading.load import load_dataset, open_dataset
from trainable.dataset.source import Source
from trainable.speech.audio import SAMPLE_RATE, read_audio, write_audio


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    return make_voice(tmp_path / "voice")


def load(folder: Path, auto_reference: bool = False) -> VoiceDataset:
    return load_dataset([Source(path=folder)], auto_reference, folder.parent / "cache")


def look(folder: Path) -> tuple[VoiceDataset | None, list[Finding]]:
    return open_dataset([Source(path=folder)], False, folder.parent / "cache")


def add(folder: Path, line: str) -> None:
    with (folder / "metadata.jsonl").open("a") as file:
        file.write(line + "\n")


def row(name: str, text: str = "some words") -> str:
    return json.dumps({"audio_filepath": name, "text": text})


def test_a_correct_folder_has_no_findings(voice: Path) -> None:
    dataset, findings = look(voice)
    assert findings == []
    assert [clip.text for clip in dataset.clips] == list(TEXTS)
    assert dataset.speakers[0].reference.seconds == pytest.approx(10.0)
    assert dataset.speakers[0].reference.text == "ten seconds of one tone"
    assert dataset.seconds == pytest.approx(sum(clip.seconds for clip in dataset.clips))
    assert dataset.clips[3].where == f"{voice}/metadata.jsonl:4"


@pytest.mark.parametrize(
    ("spoil", "check", "message"),
    [
        (lambda v: (v / "metadata.jsonl").unlink(), "format", r"metadata\.jsonl: missing.*8 recordings.*transcribe"),
        (lambda v: (v / "metadata.jsonl").write_text("\n\n"), "no-clips", "no clips"),
        (lambda v: (v / "clip_03.wav").unlink(), "missing-audio", r"l:4: transcript without audio, clip_03\.wav"),
        (lambda v: (v / "clip_00.wav").write_bytes(b"not a sound"), "unreadable", r"clip_00\.wav: not readable"),
        (lambda v: (v / "clip_00.wav").write_bytes(b""), "unreadable", r"clip_00\.wav: not readable as audio"),
        (lambda v: soundfile.write(v / "clip_00.wav", tone(0), SAMPLE_RATE), "unreadable", r"clip_00\.wav: empty"),
        (
            lambda v: soundfile.write(v / "clip_00.wav", tone(1) * np.nan, SAMPLE_RATE, subtype="FLOAT"),
            "unreadable",
            "not finite",
        ),
        (lambda v: add(v, "{cut"), "not-json", r"metadata\.jsonl:9: not JSON"),
        (lambda v: add(v, '{"a": ' * 100_000), "not-json", r"metadata\.jsonl:9: not JSON that can be read"),
        (lambda v: add(v, "[1, 2]"), "wrong-fields", r"metadata\.jsonl:9: expected audio_filepath and text"),
        (lambda v: add(v, '"words"'), "wrong-fields", r"metadata\.jsonl:9: expected audio_filepath and text"),
        (lambda v: add(v, json.dumps({"audio_filepath": "clip_00.wav"})), "wrong-fields", "audio_filepath and text"),
        (lambda v: add(v, row("clip_00.wav")[:-1] + ', "language": 1.5}'), "wrong-fields", "language to be text"),
        (lambda v: add(v, row("clip_00.wav", "  ")), "empty-text", "empty transcript"),
        (lambda v: add(v, row("clip_00.wav", "\ud800")), "encoding", "half of a character"),
        (lambda v: add(v, row("../secret.wav")), "outside", "outside the dataset's folder"),
        (lambda v: add(v, row("/etc/passwd")), "outside", "outside the dataset's folder"),
        (lambda v: add(v, row("a\0b.wav")), "missing-audio", r"a\\x00b\.wav is not a file name"),
        (lambda v: add(v, row("a" * 5000)), "missing-audio", "does not exist"),
        (lambda v: add(v, row(".")), "missing-audio", "does not exist"),
        (lambda v: (v / "ref.wav").unlink(), "no-reference", r"no reference, ref\.wav missing; clip_01\.wav would do"),
        (lambda v: (v / "ref_text.txt").unlink(), "no-reference", r"ref_text\.txt missing.*--auto-ref"),
        (lambda v: (v / "ref_text.txt").write_text(" "), "reference-text", r"ref_text\.txt: empty"),
        (lambda v: (v / "ref.wav").write_bytes(b"x"), "unreadable", r"ref\.wav: not readable"),
    ],
)
def test_each_fault_has_its_own_error(voice: Path, spoil, check: str, message: str) -> None:
    spoil(voice)
    with pytest.raises(InputError, match=message):
        load(voice)
    assert [finding.check for finding in errors(look(voice)[1])] == [check]


def test_all_errors_are_raised_together(voice: Path) -> None:
    (voice / "clip_00.wav").write_bytes(b"")
    (voice / "clip_01.wav").unlink()
    (voice / "ref.wav").unlink()
    add(voice, "{")
    with pytest.raises(InputError) as caught:
        load(voice)
    assert len(str(caught.value).splitlines()) == 4


def test_readable_clips_are_returned_despite_errors(voice: Path) -> None:
    (voice / "clip_00.wav").unlink()
    (voice / "ref.wav").unlink()
    dataset, findings = look(voice)
    assert len(errors(findings)) == 2
    assert [clip.text for clip in dataset.clips] == list(TEXTS[1:])
    assert dataset.speakers[0].reference in dataset.clips


def test_audio_without_a_transcript_is_a_warning(voice: Path) -> None:
    for index in range(5):
        soundfile.write(voice / f"extra_{index}.wav", tone(1), SAMPLE_RATE)
    assert len(load(voice).clips) == len(TEXTS)
    (finding,) = look(voice)[1]
    assert finding.check == "unnamed-audio"
    assert "5 recordings without a transcript (extra_0.wav, extra_1.wav, extra_2.wav and 2 more)" in finding.message


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load(tmp_path / "nowhere")
    assert look(tmp_path / "nowhere")[0] is None


def test_no_source_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one --data"):
        load_dataset([], False, tmp_path)


def test_auto_reference_takes_the_best_clip(voice: Path) -> None:
    (voice / "ref.wav").unlink()
    dataset = load(voice, auto_reference=True)
    assert dataset.speakers[0].reference == max(dataset.clips, key=lambda clip: clip.seconds)


def test_an_existing_reference_wins_over_the_best_clip(voice: Path) -> None:
    assert load(voice, auto_reference=True).speakers[0].reference.audio == voice / "ref.wav"


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (48000, 2), (44100, 1), (24000, 2)])
def test_any_rate_and_channels_become_24_khz_mono(tmp_path: Path, rate: int, channels: int) -> None:
    wave = 0.3 * np.sin(2 * np.pi * 200 * np.arange(rate) / rate)
    soundfile.write(tmp_path / "a.wav", np.stack([wave] * channels, axis=1), rate)
    read = read_audio(tmp_path / "a.wav")
    assert read.dtype == np.float32 and read.shape == (SAMPLE_RATE,)
    assert np.abs(np.fft.rfft(read)).argmax() == 200


def test_equal_data_has_equal_fingerprints(voice: Path, tmp_path: Path) -> None:
    other = make_voice(tmp_path / "other")
    assert load(voice).fingerprint() == load(other).fingerprint()
    soundfile.write(other / "clip_00.wav", tone(1.0, 300), SAMPLE_RATE)
    assert load(voice).fingerprint() != load(other).fingerprint()


def test_audio_survives_writing(tmp_path: Path) -> None:
    write_audio(tmp_path / "deep" / "a.wav", tone(0.5))
    assert np.abs(read_audio(tmp_path / "deep" / "a.wav") - tone(0.5)).max() < 1e-4
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.wav"]
