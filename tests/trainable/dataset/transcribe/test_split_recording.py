"""One long recording cut at its pauses."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from tests.support.paths import ROOT
from trainable.dataset.__main__ import app
from trainable.dataset.transcribe.split_recording import split_recording
from trainable.speech.audio import SAMPLE_RATE, read_audio, resample
from trainable.speech.recording_stream import BLOCK_SECONDS, RecordingStream, SpeechScan, rms_levels
from trainable.speech.segmenting import ClipLengths
from trainable.speech.vad import RATE, SpeechDetector, TimeSpan

VOICE = ROOT / "demo" / "voice"
NEAR = 1e-6


def test_the_quietest_point_is_in_the_gap() -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)
    wave[int(1.70 * RATE) : int(1.78 * RATE)] *= 0.01
    heard = SpeechScan([], 3.0, rms_levels(wave))
    assert 1.70 <= heard.quietest(0.5, 2.9) <= 1.78
    assert 0.5 <= heard.quietest(0.5, 1.0) <= 1.0
    assert heard.quietest(1.0, 1.02) == 1.01


def test_a_detector_fed_in_blocks_hears_what_it_hears_at_once() -> None:
    wave = resample(read_audio(VOICE / "ref.wav"), SAMPLE_RATE, RATE)
    detector = SpeechDetector()
    whole = detector.detect(wave)
    detector.reset()
    for block in np.array_split(wave, 7):
        detector.feed(block)
    assert detector.finish() == whole != []
    assert detector.detect(np.zeros(RATE, dtype=np.float32)) == []
    assert detector.detect(wave[:0]) == []


def test_a_detector_leaves_the_process_its_threads() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        SpeechDetector().detect(np.zeros(RATE, dtype=np.float32))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 44_100, 48_000])
def test_a_span_has_the_samples_of_the_whole(rate: int, tmp_path: Path) -> None:
    """Of two adjacent spans, no sample is lost or doubled."""
    tone = np.sin(2 * np.pi * 300 * np.arange(40 * rate) / rate) * np.linspace(0.1, 0.5, 40 * rate)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, tone * 0.5], axis=1), rate, subtype="FLOAT")
    recording = RecordingStream(tmp_path / "a.wav")
    whole = resample((tone * 0.75).astype(np.float32), rate, SAMPLE_RATE)
    first, second = recording.wave(TimeSpan(2.3, 7.7)), recording.wave(TimeSpan(7.7, 11.01))
    at = round(2.3 * SAMPLE_RATE)
    both = np.concatenate([first, second])
    assert both.size == round(11.01 * SAMPLE_RATE) - at
    np.testing.assert_allclose(both, whole[at : at + both.size], atol=1e-4)
    assert recording.seconds() == 40
    sizes = [block.size for block in recording.blocks()]
    assert sizes == [BLOCK_SECONDS * RATE, (40 - BLOCK_SECONDS) * RATE]


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[TimeSpan]]:
    """All clips of the demo voice with silences between them, 44.1 kHz stereo, and the span of speech of each."""
    chance = np.random.default_rng(0)
    parts, said, at = [np.zeros(SAMPLE_RATE // 2, np.float32)], [], 0.5
    for path in sorted(VOICE.glob("clip_*.wav")):
        wave = read_audio(path)
        loud = np.flatnonzero(np.abs(wave) > 0.003) / SAMPLE_RATE
        said.append(TimeSpan(at + loud[0], at + loud[-1]))
        pause = np.zeros(int(SAMPLE_RATE * chance.choice([0.35, 0.7, 1.5])), np.float32)
        parts += [wave, pause]
        at += (wave.size + pause.size) / SAMPLE_RATE
    wave = np.concatenate(parts)
    wave += chance.normal(0, 1e-4, wave.size).astype(np.float32)
    path = tmp_path_factory.mktemp("long") / "long.flac"
    wave = resample(wave, SAMPLE_RATE, 44_100)
    soundfile.write(path, np.stack([wave, wave], axis=1), 44_100)
    return path, said


@pytest.fixture(scope="module")
def cut_once(long: tuple[Path, list[TimeSpan]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cut") / "clips"
    split_recording(long[0], out, ClipLengths())
    return out


def table(folder: Path) -> dict[str, TimeSpan]:
    with (folder / "split.csv").open(newline="") as file:
        return {row["clip"]: TimeSpan(float(row["start"]), float(row["end"])) for row in csv.DictReader(file)}


def test_every_cut_of_a_real_recording_lies_in_a_pause(long: tuple[Path, list[TimeSpan]], cut_once: Path) -> None:
    said, clips = long[1], table(cut_once)
    assert len(clips) > 10
    for each in said:
        holding = [clip for clip in clips.values() if clip.start <= each.start and each.end <= clip.end]
        touching = [clip for clip in clips.values() if clip.start < each.end and each.start < clip.end]
        assert len(holding) == len(touching) == 1, f"{each} is not in one clip"
    assert all(clip.seconds <= 12 for name, clip in clips.items() if name != "ref.wav")
    assert 10 <= clips["ref.wav"].seconds <= 30


def test_clips_have_the_samples_of_the_recording(long: tuple[Path, list[TimeSpan]], cut_once: Path) -> None:
    whole = read_audio(long[0])
    names = sorted(path.name for path in cut_once.iterdir())
    clips = table(cut_once)
    assert names == sorted([*clips, "split.csv", "split.json"])
    for name, span in clips.items():
        info = soundfile.info(cut_once / name)
        assert (info.samplerate, info.channels, info.subtype) == (SAMPLE_RATE, 1, "PCM_16")
        first = round(span.start * SAMPLE_RATE)
        wave = read_audio(cut_once / name)
        near = min(
            np.abs(wave[50:-50] - whole[first + shift + 50 : first + shift + wave.size - 50]).max()
            for shift in range(-15, 16)
        )
        assert near < 1e-3, f"{name} is not what split.csv says"


def test_a_killed_split_is_finished_with_the_same_files(
    long: tuple[Path, list[TimeSpan]], cut_once: Path, tmp_path: Path
) -> None:
    out = tmp_path / "clips"
    code = f"""
import os, signal
from pathlib import Path
from trainable.dataset.transcribe import split_recording
from trainable.speech.segmenting import ClipLengths
write = split_recording.write_audio
def write_four(path, wave):
    if path.name == "clip_0004.wav":
        path.with_name(".clip_0004.wav.part").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, wave)
split_recording.write_audio = write_four
split_recording.split_recording(Path({str(long[0])!r}), Path({str(out)!r}), ClipLengths())
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == -signal.SIGKILL
    assert not (out / "split.csv").exists()
    kept = out / "clip_0001.wav"
    os.utime(kept, ns=(1, 1))
    split_recording(long[0], out, ClipLengths())
    assert kept.stat().st_mtime_ns == 1, "a finished clip was written again"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in cut_once.iterdir()
    }


def split_command(*arguments: object) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["split", *map(str, arguments)])
    return answer.exit_code, answer.output


def test_the_command_reports_its_clips_and_the_next_command(long: tuple[Path, list[TimeSpan]], tmp_path: Path) -> None:
    out = tmp_path / "clips"
    code, said = split_command(long[0], out, "--max", 8, "--no-reference")
    assert code == 0
    assert f"{len(table(out))} clips" in said and f"transcribe {out}" in said
    assert not (out / "ref.wav").exists()
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    code, said = split_command(long[0], out, "--max", 8, "--no-reference")
    assert code == 0 and "already cut" in said
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    code, said = split_command(long[0], out, "--max", 9)
    assert code == 2 and "other settings" in said
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before


def write_noise(folder: Path) -> list[object]:
    noise = np.random.default_rng(0).normal(0, 0.01, 40_000)
    soundfile.write(folder / "noise.wav", noise, 16_000)
    return [folder / "noise.wav", folder / "out"]


def write_garbage(folder: Path) -> list[object]:
    (folder / "song.wav").write_bytes(b"RIFF garbage")
    return [folder / "song.wav", folder / "out"]


def write_empty(folder: Path) -> list[object]:
    soundfile.write(folder / "empty.wav", np.zeros(0), 16_000)
    return [folder / "empty.wav", folder / "out"]


def write_beside_other_files(folder: Path) -> list[object]:
    (folder / "out").mkdir()
    (folder / "out" / "diary.txt").write_text("mine")
    return [VOICE / "ref.wav", folder / "out"]


def write_into_a_file(folder: Path) -> list[object]:
    (folder / "out").write_text("mine")
    return [VOICE / "ref.wav", folder / "out"]


WRONG = [
    (lambda folder: [folder / "none.wav", folder / "out"], "no such recording"),
    (lambda folder: [folder, folder / "out"], "no such recording"),
    (write_garbage, "not readable as audio"),
    (write_empty, "0 samples"),
    (write_noise, "no speech"),
    (write_beside_other_files, "diary.txt"),
    (write_into_a_file, "is a file"),
    (lambda folder: [VOICE / "ref.wav", "/proc/nowhere/out"], "cannot be written"),
    (lambda folder: [VOICE / "ref.wav", folder / "out", "--min", 5, "--max", 5], "--min < --max"),
]


@pytest.mark.parametrize(("prepare", "message"), WRONG, ids=[message for _, message in WRONG])
def test_wrong_input_is_refused_without_writing(prepare, message: str, tmp_path: Path) -> None:
    arguments = prepare(tmp_path)
    held = sorted(tmp_path.rglob("*"))
    code, said = split_command(*arguments)
    assert code == 2 and message in said
    assert "Traceback" not in said
    assert sorted(tmp_path.rglob("*")) == held
