"""What a folder may hold, and what is said when it does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spaces.errors import InputError
from tests.voices import TEXTS, make_voice, tone
from trainable.audio import SAMPLE_RATE, read_audio, write_audio
from trainable.dataset import load_dataset


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    return make_voice(tmp_path / "voice")


def add(folder: Path, line: str) -> None:
    with (folder / "metadata.jsonl").open("a") as file:
        file.write(line + "\n")


def row(name: str, text: str = "some words") -> str:
    return json.dumps({"audio_filepath": name, "text": text})


def test_a_good_folder(voice: Path) -> None:
    dataset = load_dataset(voice)
    assert [clip.text for clip in dataset.clips] == list(TEXTS)
    assert dataset.reference.seconds == pytest.approx(10.0)
    assert dataset.seconds == pytest.approx(sum(clip.seconds for clip in dataset.clips))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda v: (v / "metadata.jsonl").unlink(), r"metadata\.jsonl: missing"),
        (lambda v: (v / "metadata.jsonl").write_text("\n\n"), "no clips"),
        (lambda v: (v / "clip_03.wav").unlink(), r"metadata\.jsonl:4: transcript without audio, clip_03\.wav"),
        (lambda v: soundfile.write(v / "extra.wav", tone(1), SAMPLE_RATE), r"extra\.wav: audio without a transcript"),
        (lambda v: (v / "clip_00.wav").write_bytes(b"not a sound"), r"clip_00\.wav: not readable as audio"),
        (lambda v: (v / "clip_00.wav").write_bytes(b""), r"clip_00\.wav: not readable as audio"),
        (lambda v: soundfile.write(v / "clip_00.wav", tone(0), SAMPLE_RATE), r"clip_00\.wav: empty"),
        (lambda v: soundfile.write(v / "clip_00.wav", tone(1) * np.nan, SAMPLE_RATE, subtype="FLOAT"), "not finite"),
        (lambda v: add(v, "{cut"), r"metadata\.jsonl:9: not JSON"),
        (lambda v: add(v, "[1, 2]"), r"metadata\.jsonl:9: expected audio_filepath and text"),
        (lambda v: add(v, json.dumps({"audio_filepath": "clip_00.wav"})), "expected audio_filepath and text"),
        (lambda v: add(v, row("clip_00.wav", "  ")), "empty transcript"),
        (lambda v: add(v, row("../secret.wav")), "outside the dataset's folder"),
        (lambda v: (v / "ref.wav").unlink(), r"no reference, ref\.wav missing; clip_01\.wav would do best"),
        (lambda v: (v / "ref_text.txt").unlink(), r"ref_text\.txt missing.*--auto-ref"),
        (lambda v: (v / "ref_text.txt").write_text(" "), r"ref_text\.txt: empty"),
    ],
)
def test_a_spoiled_folder_is_explained(voice: Path, spoil, message: str) -> None:
    spoil(voice)
    with pytest.raises(InputError, match=message):
        load_dataset(voice)


def test_every_problem_is_told_at_once(voice: Path) -> None:
    (voice / "clip_00.wav").write_bytes(b"")
    (voice / "clip_01.wav").unlink()
    add(voice, "{")
    with pytest.raises(InputError) as caught:
        load_dataset(voice)
    assert len(str(caught.value).splitlines()) == 3


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_dataset(tmp_path / "nowhere")


def test_the_best_clip_stands_in_for_a_reference(voice: Path) -> None:
    (voice / "ref.wav").unlink()
    dataset = load_dataset(voice, auto_reference=True)
    assert dataset.reference == max(dataset.clips, key=lambda clip: clip.seconds)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (48000, 2), (44100, 1), (24000, 2)])
def test_any_rate_and_channels_become_24_khz_mono(tmp_path: Path, rate: int, channels: int) -> None:
    wave = 0.3 * np.sin(2 * np.pi * 200 * np.arange(rate) / rate)
    soundfile.write(tmp_path / "a.wav", np.stack([wave] * channels, axis=1), rate)
    heard = read_audio(tmp_path / "a.wav")
    assert heard.dtype == np.float32 and heard.shape == (SAMPLE_RATE,)
    assert np.abs(np.fft.rfft(heard)).argmax() == 200


def test_equal_data_has_equal_fingerprints(voice: Path, tmp_path: Path) -> None:
    other = make_voice(tmp_path / "other")
    assert load_dataset(voice).fingerprint() == load_dataset(other).fingerprint()
    soundfile.write(other / "clip_00.wav", tone(1.0, 300), SAMPLE_RATE)
    assert load_dataset(voice).fingerprint() != load_dataset(other).fingerprint()


def test_audio_survives_writing(tmp_path: Path) -> None:
    write_audio(tmp_path / "deep" / "a.wav", tone(0.5))
    assert np.abs(read_audio(tmp_path / "deep" / "a.wav") - tone(0.5)).max() < 1e-4
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.wav"]
