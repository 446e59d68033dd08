"""One long recording cut at its pauses."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from spaces.errors import InputError
from tests.conftest import ROOT
from trainable.audio import SAMPLE_RATE, read_audio, resample
from trainable.dataset.__main__ import app
from trainable.dataset.cutting import LONGEST_INNER_PAUSE, ROOM, Lengths, best_reference, cut
from trainable.dataset.long_recording import BLOCK_SECONDS, Heard, LongRecording, levels_of
from trainable.dataset.split import split_recording
from trainable.dataset.vad import RATE, Span, SpeechDetector

VOICE = ROOT / "demo" / "voice"
NEAR = 1e-6


def middle(earliest: float, latest: float) -> float:
    return (earliest + latest) / 2


def spans(*bounds: tuple[float, float]) -> list[Span]:
    return [Span(*each) for each in bounds]


CUTS = [
    ("nothing said", [], (2, 12), []),
    ("one utterance keeps its room", [(5, 8)], (2, 12), [(4.8, 8.2)]),
    ("no room beyond the recording's ends", [(0.1, 9.95)], (2, 12), [(0, 10)]),
    ("a long pause parts two", [(1, 4), (5, 8)], (2, 12), [(0.8, 4.2), (4.8, 8.2)]),
    ("a short pause does not", [(1, 4), (4.3, 8)], (2, 12), [(0.8, 8.2)]),
    ("a short pause is shared at its middle", [(1, 5), (5.3, 9)], (2, 5), [(0.8, 5.15), (5.15, 9.2)]),
    ("a short one joins its neighbour", [(1, 1.5), (2.2, 5)], (2, 12), [(0.8, 5.2)]),
    ("a short one stays alone among long pauses", [(1, 1.5), (4, 7)], (2, 12), [(0.8, 1.7), (3.8, 7.2)]),
    ("of three pauses the longest is cut", [(0, 3), (3.1, 5), (5.4, 8), (8.1, 9)], (2, 6), [(0, 5.2), (5.2, 9.2)]),
    ("speech without a pause is cut in two", [(0, 10)], (2, 6.4), [(0, 5), (5, 10)]),
]


@pytest.mark.parametrize(("speech", "lengths", "expected"), [case[1:] for case in CUTS], ids=[case[0] for case in CUTS])
def test_cuts_where_a_reader_pauses(
    speech: list[tuple[float, float]], lengths: tuple[float, float], expected: list[tuple[float, float]]
) -> None:
    clips = cut(spans(*speech), Span(0, 10), Lengths(*lengths), middle)
    assert [tuple(round(each, 6) for each in clip) for clip in clips] == expected


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[Span], float, Lengths, list[float]]:
    """Speech, the recording's length, the bounds, and where in its window each quietest point lies."""
    speech, at = [], draw(st.floats(0, 3))
    for _ in range(draw(st.integers(0, 25))):
        end = at + draw(st.one_of(st.floats(0.1, 4), st.floats(0.1, 60)))
        speech.append(Span(at, end))
        at = end + draw(st.one_of(st.floats(0.1, 1), st.floats(0.1, 5)))
    longest = draw(st.floats(1, 30))
    shortest = draw(st.floats(0.1, longest, exclude_max=True))
    shares = draw(st.lists(st.floats(0, 1), min_size=1, max_size=5))
    return speech, at, Lengths(shortest, longest), shares


@given(recordings())
@settings(max_examples=300, deadline=None)
def test_all_speech_is_in_exactly_one_clip(recording: tuple[list[Span], float, Lengths, list[float]]) -> None:
    speech, total, lengths, shares = recording
    asked = cycle(shares)
    clips = cut(speech, Span(0, total), lengths, lambda first, last: first + next(asked) * (last - first))

    edges = [edge for clip in clips for edge in clip]
    assert edges == sorted(edges) and all(0 <= edge <= total for edge in edges)
    assert all(clip.seconds <= lengths.longest + NEAR for clip in clips)
    held = sum(max(0.0, min(clip.end, each.end) - max(clip.start, each.start)) for clip in clips for each in speech)
    assert held == pytest.approx(sum(each.seconds for each in speech))
    for each in speech:
        if each.seconds <= lengths.longest - 2 * ROOM:
            assert not any(each.start < edge < each.end for edge in edges), "cut in the middle of a word"
    for clip, after in zip(clips, clips[1:], strict=False):
        if min(clip.seconds, after.seconds) < lengths.shortest - NEAR:
            said = max(min(each.end, clip.end) for each in speech if each.start < clip.end)
            goes_on = min(max(each.start, after.start) for each in speech if each.end > after.start)
            assert goes_on - said > LONGEST_INNER_PAUSE - NEAR or after.end - clip.start > lengths.longest - NEAR, (
                "a clip is too short, and could be joined"
            )


REFERENCES = [
    ("nothing said", [], 100, None),
    ("too short a stretch", [(0, 9)], 100, None),
    ("a fifth of the speech, at most", [(1, 13), (20, 60)], 61, None),
    ("the longest fluent one", [(1, 12), (15, 35), (40, 52), (60, 160)], 161, (14.8, 35.2)),
    ("fluent before long", [(1, 6), (6.9, 10), (10.9, 15), (40, 160), (163, 175)], 178, (162.8, 175.2)),
    ("not from the middle of speech", [(0, 11), (11.2, 40), (50, 150)], 151, None),
]


@pytest.mark.parametrize(
    ("speech", "total", "expected"), [case[1:] for case in REFERENCES], ids=[case[0] for case in REFERENCES]
)
def test_the_reference_is_long_and_fluent(
    speech: list[tuple[float, float]], total: float, expected: tuple[float, float] | None
) -> None:
    best = best_reference(spans(*speech), Span(0, total))
    assert (best and tuple(round(each, 6) for each in best)) == expected


@pytest.mark.parametrize(("shortest", "longest"), [(3, 3), (5, 2), (0, 4), (-1, 4), (0.2, 0.8), (float("nan"), 4)])
def test_bounds_that_no_clip_can_keep_are_refused(shortest: float, longest: float) -> None:
    with pytest.raises(InputError, match="--m"):
        Lengths(shortest, longest)


def test_the_quietest_point_is_in_the_gap() -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)
    wave[int(1.70 * RATE) : int(1.78 * RATE)] *= 0.01
    heard = Heard([], 3.0, levels_of(wave))
    assert 1.70 <= heard.quiet(0.5, 2.9) <= 1.78
    assert 0.5 <= heard.quiet(0.5, 1.0) <= 1.0
    assert heard.quiet(1.0, 1.02) == 1.01


def test_a_detector_fed_in_blocks_hears_what_it_hears_at_once() -> None:
    wave = resample(read_audio(VOICE / "ref.wav"), SAMPLE_RATE, RATE)
    detector = SpeechDetector()
    whole = detector.speech_in(wave)
    detector.begin()
    for block in np.array_split(wave, 7):
        detector.hear(block)
    assert detector.speech() == whole != []
    assert detector.speech_in(np.zeros(RATE, dtype=np.float32)) == []
    assert detector.speech_in(wave[:0]) == []


def test_a_detector_leaves_the_process_its_threads() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        SpeechDetector().speech_in(np.zeros(RATE, dtype=np.float32))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 44_100, 48_000])
def test_a_stretch_sounds_as_in_the_whole(rate: int, tmp_path: Path) -> None:
    """And two that meet are one: no sample is lost or doubled between them."""
    tone = np.sin(2 * np.pi * 300 * np.arange(40 * rate) / rate) * np.linspace(0.1, 0.5, 40 * rate)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, tone * 0.5], axis=1), rate, subtype="FLOAT")
    recording = LongRecording(tmp_path / "a.wav")
    whole = resample((tone * 0.75).astype(np.float32), rate, SAMPLE_RATE)
    first, second = recording.wave(Span(2.3, 7.7)), recording.wave(Span(7.7, 11.01))
    at = round(2.3 * SAMPLE_RATE)
    both = np.concatenate([first, second])
    assert both.size == round(11.01 * SAMPLE_RATE) - at
    np.testing.assert_allclose(both, whole[at : at + both.size], atol=1e-4)
    assert recording.seconds() == 40
    sizes = [block.size for block in recording.blocks()]
    assert sizes == [BLOCK_SECONDS * RATE, (40 - BLOCK_SECONDS) * RATE]


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Span]]:
    """All clips of the demo voice with silences between them, 44.1 kHz stereo, and where each says something."""
    chance = np.random.default_rng(0)
    parts, said, at = [np.zeros(SAMPLE_RATE // 2, np.float32)], [], 0.5
    for path in sorted(VOICE.glob("clip_*.wav")):
        wave = read_audio(path)
        loud = np.flatnonzero(np.abs(wave) > 0.003) / SAMPLE_RATE
        said.append(Span(at + loud[0], at + loud[-1]))
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
def cut_once(long: tuple[Path, list[Span]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cut") / "clips"
    split_recording(long[0], out, Lengths())
    return out


def table(folder: Path) -> dict[str, Span]:
    with (folder / "split.csv").open(newline="") as file:
        return {row["clip"]: Span(float(row["start"]), float(row["end"])) for row in csv.DictReader(file)}


def test_every_cut_of_a_real_recording_lies_in_a_pause(long: tuple[Path, list[Span]], cut_once: Path) -> None:
    said, clips = long[1], table(cut_once)
    assert len(clips) > 10
    for each in said:
        holding = [clip for clip in clips.values() if clip.start <= each.start and each.end <= clip.end]
        touching = [clip for clip in clips.values() if clip.start < each.end and each.start < clip.end]
        assert len(holding) == len(touching) == 1, f"{each} is not in one clip"
    assert all(clip.seconds <= 12 for name, clip in clips.items() if name != "ref.wav")
    assert 10 <= clips["ref.wav"].seconds <= 30


def test_clips_are_what_was_recorded(long: tuple[Path, list[Span]], cut_once: Path) -> None:
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


def test_a_split_that_was_killed_is_finished_as_if_nothing_had_been(
    long: tuple[Path, list[Span]], cut_once: Path, tmp_path: Path
) -> None:
    out = tmp_path / "clips"
    code = f"""
import os, signal
from pathlib import Path
from trainable.dataset import split
from trainable.dataset.cutting import Lengths
write = split.write_audio
def write_four(path, wave):
    if path.name == "clip_0004.wav":
        path.with_name(".clip_0004.wav.part").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, wave)
split.write_audio = write_four
split.split_recording(Path({str(long[0])!r}), Path({str(out)!r}), Lengths())
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == -signal.SIGKILL
    assert not (out / "split.csv").exists()
    kept = out / "clip_0001.wav"
    os.utime(kept, ns=(1, 1))
    split_recording(long[0], out, Lengths())
    assert kept.stat().st_mtime_ns == 1, "a finished clip was written again"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in cut_once.iterdir()
    }


def split_command(*arguments: object) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["split", *map(str, arguments)])
    return answer.exit_code, answer.output


def test_the_command_says_what_it_cut_and_what_comes_next(long: tuple[Path, list[Span]], tmp_path: Path) -> None:
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
def test_what_cannot_be_cut_is_said_in_words(prepare, message: str, tmp_path: Path) -> None:
    arguments = prepare(tmp_path)
    held = sorted(tmp_path.rglob("*"))
    code, said = split_command(*arguments)
    assert code == 2 and message in said
    assert "Traceback" not in said
    assert sorted(tmp_path.rglob("*")) == held
