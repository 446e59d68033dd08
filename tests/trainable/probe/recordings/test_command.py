"""`python -m trainable.probe`: verdicts on recordings, their thresholds and origins, and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.corruptions import corrupted, demo_clips
from tests.support.paths import DEMO_VOICE, ROOT
from tests.support.probe_command import (
    CLIP,
    TEXT,
    WAVE,
    WITH_RECOGNISER,
    manifest,
    no_constant,
    probe,
    recording,
    verdict,
)
from trainable.probe.criteria.criteria_table import Flag, character_error_threshold
from trainable.probe.criteria.criterion import VoiceMeasures
from trainable.probe.criteria.explain import criteria_rows
from trainable.probe.measures.level import MAX_CLIPPED_SHARE, MIN_SPEECH_SHARE
from trainable.probe.measures.missing_words import omitted_threshold
from trainable.probe.measures.pauses import MAX_INNER_PAUSE, MAX_TAIL
from trainable.probe.measures.repeated_words import MAX_INSERTED_SHARE, MIN_TRAILING_WORDS
from trainable.probe.measures.sound_loops import MAX_REPEATED_SHARE
from trainable.probe.measures.stutter import MAX_STUTTER
from trainable.speech.audio import SAMPLE_RATE
from trainable.speech.tempo import LINE_TEMPO, default_seconds

KEYS = ["audio", "text", "accepted", "flags", "unknown", "measures", "heard"]
NEVER_KNOWN = {"no_eos"}
NEEDS_VOICE = {"voice_drift", *(row.flag for row in criteria_rows(VoiceMeasures()) if row.flag and row.healthy is None)}


@pytest.mark.parametrize("place", range(4))
def test_a_clean_recording_of_its_text_is_accepted(place: int) -> None:
    text = demo_clips()[place][1]
    judged = verdict(DEMO_VOICE / f"clip_{place:03d}.wav", "--text", text, *WITH_RECOGNISER)
    assert (judged["accepted"], judged["flags"], list(judged)) == (True, [], KEYS)
    assert set(judged["unknown"]) >= NEVER_KNOWN | NEEDS_VOICE


@pytest.mark.parametrize(
    ("corrupt", "options", "flag"),
    [
        (lambda wave: wave * 0, [], "silent"),
        (lambda wave: wave[:0], [], "silent"),
        (lambda wave: np.where(np.arange(wave.size) == 9, np.nan, wave), [], "silent"),
        (lambda wave: np.where(np.arange(wave.size) == 9, np.inf, wave), [], "silent"),
        (lambda wave: np.clip(wave * 30, -1, 1), [], "clipped"),
        (lambda wave: corrupted("trailing silence", wave, 1), [], "tempo"),
        (lambda wave: corrupted("inner pause", wave, 1), [], "tempo"),
        (lambda wave: wave[: wave.size // 3], [], "tempo"),
        (lambda wave: np.concatenate([wave] * 3), WITH_RECOGNISER, "looped"),
        (lambda wave: corrupted("reversed", wave, 1), WITH_RECOGNISER, "garbled"),
        (lambda wave: corrupted("noise 0 dB", wave, 1), ["--like", DEMO_VOICE], "noisy"),
        (lambda wave: corrupted("monotone", wave, 1), ["--like", DEMO_VOICE], "flat"),
    ],
)
def test_a_corrupted_recording_is_flagged(
    corrupt: Callable[[np.ndarray], np.ndarray], options: list, flag: str, tmp_path: Path
) -> None:
    judged = verdict(recording(tmp_path / "clip.wav", corrupt(WAVE)), "--text", TEXT, *options)
    assert flag in judged["flags"] and flag not in judged["unknown"]
    assert judged["accepted"] == (not Flag(flag).rejects and judged["flags"] == [flag])


@pytest.mark.parametrize("factor", [0.5, 2.2])
def test_a_rushed_or_slow_recording_is_flagged(factor: float, tmp_path: Path) -> None:
    places = np.arange(0, WAVE.size - 1, 1 / factor)
    clip = recording(tmp_path / "clip.wav", np.interp(places, np.arange(WAVE.size), WAVE))
    assert "tempo" in verdict(clip, "--text", TEXT, "--like", DEMO_VOICE)["flags"]


def test_another_text_than_the_one_spoken_is_garbled() -> None:
    judged = verdict(DEMO_VOICE / "clip_000.wav", "--text", "the seven quiet rivers", *WITH_RECOGNISER)
    assert judged["flags"] == ["garbled"]


@pytest.mark.parametrize(
    ("options", "text", "unknown"),
    [
        ([], "one nine seven two", NEVER_KNOWN | NEEDS_VOICE | {"garbled"}),
        (WITH_RECOGNISER, "one nine seven two", NEVER_KNOWN | NEEDS_VOICE),
        (WITH_RECOGNISER, "one nine two", NEVER_KNOWN | NEEDS_VOICE | {"garbled"}),
        ([], "one two seven one two", NEVER_KNOWN | NEEDS_VOICE | {"garbled", "looped"}),
        ([], "एक नौ सात दो", NEVER_KNOWN | NEEDS_VOICE | {"garbled", "tempo"}),
        ([], "一九七二年七月", NEVER_KNOWN | NEEDS_VOICE | {"garbled"}),
        (["--like", DEMO_VOICE, *WITH_RECOGNISER], "one nine seven two", NEVER_KNOWN | {"flat", "voice_drift"}),
    ],
)
def test_flags_that_cannot_be_judged_are_unknown_with_a_reason(options: list, text: str, unknown: set[str]) -> None:
    judged = verdict(DEMO_VOICE / "clip_000.wav", "--text", text, *options)
    assert {flag for flag, why in judged["unknown"].items() if why} == unknown


def test_thresholds_are_those_of_the_judge_and_have_an_origin(tmp_path: Path) -> None:
    clip = recording(tmp_path / "clip.wav", WAVE)
    bare, like = verdict(clip, "--text", TEXT, *WITH_RECOGNISER), verdict(clip, "--text", TEXT, "--like", DEMO_VOICE)
    shown = {name: each["threshold"] for name, each in bare["measures"].items()}
    expected = {
        "speech_share": {"least": MIN_SPEECH_SHARE, "most": None},
        "clipped_share": {"least": None, "most": MAX_CLIPPED_SHARE},
        "flatness_db": None,
        "repeated_share": shown["repeated_share"],
        "stutter": shown["stutter"],
        "tempo": {"least": LINE_TEMPO[0], "most": LINE_TEMPO[1]},
        "inner_pause_seconds": {"least": None, "most": MAX_INNER_PAUSE},
        "tail_seconds": {"least": None, "most": MAX_TAIL},
        "repeated_phrases": {"least": None, "most": 0},
        "inserted_share": {"least": None, "most": MAX_INSERTED_SHARE},
        "words_after_the_end": {"least": None, "most": MIN_TRAILING_WORDS - 1},
        "words_heard": {"least": 1, "most": None},
        "omitted_share": {"least": None, "most": omitted_threshold(())},
        "character_error": {"least": None, "most": character_error_threshold(())},
        "pitch_range_semitones": None,
        "energy_range_db": None,
        "voice_similarity": None,
        "dnsmos": None,
    }
    assert {name: shown[name] for name in expected} == expected
    assert shown["repeated_share"] in (None, {"least": None, "most": MAX_REPEATED_SHARE})
    assert shown["stutter"] in (None, {"least": None, "most": MAX_STUTTER})
    assert all(list(each) == ["value", "threshold", "origin", "flag"] for each in bare["measures"].values())
    assert all(each["origin"].endswith(".") for each in bare["measures"].values())
    assert "default pace" in bare["measures"]["tempo"]["origin"]
    for name in ("flatness_db", "tempo", "pitch_range_semitones"):
        assert "40 recordings of the same voice" in like["measures"][name]["origin"]
        assert like["measures"][name]["threshold"] is not None


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (16_000, 2), (48_000, 2), (44_100, 1), (44_101, 1)])
def test_any_rate_and_channels_are_judged_alike(rate: int, channels: int, tmp_path: Path) -> None:
    places = np.arange(0, WAVE.size - 1, SAMPLE_RATE / rate)
    wave = np.interp(places, np.arange(WAVE.size), WAVE)
    clip = recording(tmp_path / "clip.wav", np.stack([wave] * channels, axis=1), rate, "PCM_16")
    assert verdict(clip, "--text", TEXT, *WITH_RECOGNISER)["flags"] == []


def test_an_hour_is_judged_by_its_first_minutes_and_not_transcribed(tmp_path: Path) -> None:
    wave = np.tile(WAVE[::3], 1 + 3600 * SAMPLE_RATE // WAVE.size)[: 3600 * 8_000]
    judged = verdict(recording(tmp_path / "hour.wav", wave, 8_000, "PCM_U8"), "--text", TEXT, *WITH_RECOGNISER)
    assert "tempo" in judged["flags"] and judged["heard"] is None
    assert judged["measures"]["tempo"]["value"] == pytest.approx(3600 / default_seconds(TEXT))
    assert "longer than 180 s" in judged["unknown"]["garbled"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([CLIP], "expected CLIP --text"),
        (["--text", "one"], "expected CLIP --text"),
        ([CLIP, "--text", "one", "--manifest", "many.jsonl"], "expected it alone"),
        (["no.wav", "--text", "one"], "no.wav: no such audio file"),
        ([DEMO_VOICE, "--text", "one"], "no such audio file"),
        ([DEMO_VOICE / "metadata.jsonl", "--text", "one"], "not readable as audio"),
        ([CLIP, "--text", ""], "expected the text that is spoken"),
        ([CLIP, "--text", " … !?"], "expected the text that is spoken, got  … !?"),
        ([CLIP, "--text", "one", "--recogniser", "pocketsphinks"], "did you mean pocketsphinx?"),
        ([CLIP, "--text", "one", "--recogniser", "pocketsphinx", "--language", "no"], "expected language en"),
        ([CLIP, "--text", "один два три", *WITH_RECOGNISER], "no pronunciation for"),
        ([CLIP, "--text", "one", "--like", "nowhere"], "nowhere"),
        ([CLIP, "--text", "one", "--encoder", "resemblyser"], "did you mean resemblyzer?"),
        (["--manifest", "no.jsonl"], "cannot be read"),
    ],
)
def test_wrong_input_is_reported_without_a_traceback(
    arguments: list, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = probe(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr and isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not readable as audio"),
        (b"RIFF", "not readable as audio"),
        (bytes(range(256)) * 40, "not readable as audio"),
        (b"just some text", "not readable as audio"),
    ],
)
def test_a_file_that_is_no_audio_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "clip.wav").write_bytes(content)
    result = probe(tmp_path / "clip.wav", "--text", "one")
    assert (result.exit_code, result.stdout) == (2, "") and message in result.stderr


@pytest.mark.parametrize("rate", [500, 900_000])
def test_a_rate_that_cannot_be_resampled_is_refused(rate: int, tmp_path: Path) -> None:
    result = probe(recording(tmp_path / "clip.wav", WAVE, rate), "--text", "one")
    assert result.exit_code == 2 and f"{rate} Hz; convert it" in result.stderr


def test_quality_is_reported_and_rejects_nothing(tmp_path: Path) -> None:
    noisy = recording(tmp_path / "noisy.wav", corrupted("noise 0 dB", WAVE, 1))
    clean = verdict(recording(tmp_path / "clip.wav", WAVE), "--text", TEXT, "--like", DEMO_VOICE)["measures"]["dnsmos"]
    judged = verdict(noisy, "--text", TEXT)
    assert judged["accepted"] and judged["measures"]["dnsmos"]["value"] < clean["value"]
    assert clean["flag"] is None and "recordings of this one is" in clean["origin"]


def test_recordings_that_the_probe_rejects_are_refused_as_baseline(tmp_path: Path) -> None:
    lines = []
    for number in range(3):
        recording(tmp_path / f"{number}.wav", np.clip(WAVE * 30, -1, 1))
        lines.append({"audio": f"{number}.wav", "text": TEXT})
    result = probe(CLIP, "--text", "one nine seven two", "--like", manifest(tmp_path, *lines))
    assert result.exit_code == 2 and "clipped in 3" in result.stderr


def test_the_table_names_the_verdict_the_measures_and_what_is_unknown(tmp_path: Path) -> None:
    result = probe(recording(tmp_path / "clip.wav", WAVE * 0), "--text", TEXT)
    assert "rejected: silent" in result.stdout and "at least 0.25" in result.stdout
    assert all(f"unknown: {flag}, " in result.stdout for flag in NEVER_KNOWN | NEEDS_VOICE | {"garbled"})


def test_nan_samples_are_silent_and_give_valid_json(tmp_path: Path) -> None:
    clip = recording(tmp_path / "clip.wav", WAVE + np.nan)
    judged = json.loads(probe(clip, "--text", TEXT, "--json").stdout, parse_constant=no_constant)
    assert judged["measures"]["speech_share"]["value"] == 0 and judged["flags"][0] == "silent"


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "trainable.probe", CLIP, "--text", "one nine seven two", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["accepted"], done.stderr) == (0, True, "")
