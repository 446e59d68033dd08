"""`python -m trainable.probe`: verdicts on recordings, their reasons, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spaces.records.verdict import Flag
from tests.support.corruptions import DEMO_VOICE, corrupted, demo_clips
from tests.support.paths import ROOT
from tests.support.probe_command import CLIP, LISTENING, TEXT, WAVE, manifest, no_constant, probe, recording, verdict
from trainable.probe.criteria.flags import CLIPPED_SHARE, SPEECH_SHARE, garbled_above
from trainable.probe.measures.level import SILENCE_DBFS
from trainable.probe.measures.missing_words import omitted_above
from trainable.probe.measures.pauses import INNER, TAIL
from trainable.probe.measures.repeated_words import BABBLED_ON, INSERTED
from trainable.probe.measures.sound_loops import LOOPED
from trainable.probe.measures.stutter import STUTTERED
from trainable.speech.audio import SAMPLE_RATE
from trainable.speech.tempo import LINE_TEMPO, default_seconds

KEYS = ["audio", "text", "accepted", "flags", "unknown", "measures", "heard"]
NEVER_KNOWN = {"no_eos"}
NEEDS_VOICE = {"noisy", "flat", "voice_drift"}


@pytest.mark.parametrize("place", range(4))
def test_a_recording_that_says_its_text_is_accepted(place: int) -> None:
    text = demo_clips()[place][1]
    said = verdict(DEMO_VOICE / f"clip_{place:03d}.wav", "--text", text, *LISTENING)
    assert (said["accepted"], said["flags"], list(said)) == (True, [], KEYS)
    assert set(said["unknown"]) >= NEVER_KNOWN | NEEDS_VOICE


@pytest.mark.parametrize(
    ("spoil", "options", "flag"),
    [
        (lambda wave: wave * 0, [], "silent"),
        (lambda wave: wave[:0], [], "silent"),
        (lambda wave: np.where(np.arange(wave.size) == 9, np.nan, wave), [], "silent"),
        (lambda wave: np.where(np.arange(wave.size) == 9, np.inf, wave), [], "silent"),
        (lambda wave: np.clip(wave * 30, -1, 1), [], "clipped"),
        (lambda wave: corrupted("trailing silence", wave, 1), [], "tempo"),
        (lambda wave: corrupted("inner pause", wave, 1), [], "tempo"),
        (lambda wave: wave[: wave.size // 3], [], "tempo"),
        (lambda wave: np.concatenate([wave] * 3), LISTENING, "looped"),
        (lambda wave: corrupted("reversed", wave, 1), LISTENING, "garbled"),
        (lambda wave: corrupted("noise 0 dB", wave, 1), ["--like", DEMO_VOICE], "noisy"),
        (lambda wave: corrupted("monotone", wave, 1), ["--like", DEMO_VOICE], "flat"),
    ],
)
def test_a_spoilt_recording_is_flagged(
    spoil: Callable[[np.ndarray], np.ndarray], options: list, flag: str, tmp_path: Path
) -> None:
    said = verdict(recording(tmp_path / "clip.wav", spoil(WAVE)), "--text", TEXT, *options)
    assert flag in said["flags"] and flag not in said["unknown"]
    assert said["accepted"] == (not Flag(flag).rejects and said["flags"] == [flag])


@pytest.mark.parametrize("factor", [0.5, 2.2])
def test_a_rushed_or_slow_recording_is_flagged(factor: float, tmp_path: Path) -> None:
    places = np.arange(0, WAVE.size - 1, 1 / factor)
    clip = recording(tmp_path / "clip.wav", np.interp(places, np.arange(WAVE.size), WAVE))
    assert "tempo" in verdict(clip, "--text", TEXT, "--like", DEMO_VOICE)["flags"]


def test_another_text_than_the_one_spoken_is_garbled() -> None:
    said = verdict(DEMO_VOICE / "clip_000.wav", "--text", "the seven quiet rivers", *LISTENING)
    assert said["flags"] == ["garbled"]


@pytest.mark.parametrize(
    ("options", "text", "unknown"),
    [
        ([], "one nine seven two", NEVER_KNOWN | NEEDS_VOICE | {"garbled"}),
        (LISTENING, "one nine seven two", NEVER_KNOWN | NEEDS_VOICE),
        (LISTENING, "one nine two", NEVER_KNOWN | NEEDS_VOICE | {"garbled"}),
        ([], "one one seven two", NEVER_KNOWN | NEEDS_VOICE | {"garbled", "looped"}),
        ([], "एक नौ सात दो", NEVER_KNOWN | NEEDS_VOICE | {"garbled", "tempo"}),
        ([], "一九七二年七月", NEVER_KNOWN | NEEDS_VOICE | {"garbled"}),
        (["--like", DEMO_VOICE, *LISTENING], "one nine seven two", NEVER_KNOWN | {"flat", "voice_drift"}),
    ],
)
def test_what_cannot_be_judged_is_named_with_a_reason(options: list, text: str, unknown: set[str]) -> None:
    said = verdict(DEMO_VOICE / "clip_000.wav", "--text", text, *options)
    assert {flag for flag, why in said["unknown"].items() if why} == unknown


def test_thresholds_are_those_of_the_judge_and_say_where_they_come_from(tmp_path: Path) -> None:
    clip = recording(tmp_path / "clip.wav", WAVE)
    bare, like = verdict(clip, "--text", TEXT, *LISTENING), verdict(clip, "--text", TEXT, "--like", DEMO_VOICE)
    shown = {name: each["threshold"] for name, each in bare["measures"].items()}
    assert shown == {
        "rms_dbfs": {"least": SILENCE_DBFS, "most": None},
        "speech_share": {"least": SPEECH_SHARE, "most": None},
        "clipped_share": {"least": None, "most": CLIPPED_SHARE},
        "flatness_db": None,
        "repeated_share": shown["repeated_share"],
        "stutter": shown["stutter"],
        "tempo": {"least": LINE_TEMPO[0], "most": LINE_TEMPO[1]},
        "inner_pause_seconds": {"least": None, "most": INNER},
        "tail_seconds": {"least": None, "most": TAIL},
        "repeated_phrases": {"least": None, "most": 0},
        "inserted_share": {"least": None, "most": INSERTED},
        "words_after_the_end": {"least": None, "most": BABBLED_ON - 1},
        "words_heard": {"least": 1, "most": None},
        "omitted_share": {"least": None, "most": omitted_above(())},
        "character_error": {"least": None, "most": garbled_above(None)},
        "pitch_range_semitones": None,
        "voice_similarity": None,
        "dnsmos": None,
    }
    assert shown["repeated_share"] in (None, {"least": None, "most": LOOPED})
    assert shown["stutter"] in (None, {"least": None, "most": STUTTERED})
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
    assert verdict(clip, "--text", TEXT, *LISTENING)["flags"] == []


def test_an_hour_is_judged_by_its_first_minutes_and_nobody_listens_to_it(tmp_path: Path) -> None:
    wave = np.tile(WAVE[::3], 1 + 3600 * SAMPLE_RATE // WAVE.size)[: 3600 * 8_000]
    said = verdict(recording(tmp_path / "hour.wav", wave, 8_000, "PCM_U8"), "--text", TEXT, *LISTENING)
    assert "tempo" in said["flags"] and said["heard"] is None
    assert said["measures"]["tempo"]["value"] == pytest.approx(3600 / default_seconds(TEXT))
    assert "longer than 180 s" in said["unknown"]["garbled"]


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
        ([CLIP, "--text", "один два три", *LISTENING], "no pronunciation for"),
        ([CLIP, "--text", "one", "--like", "nowhere"], "nowhere"),
        ([CLIP, "--text", "one", "--encoder", "resemblyser"], "did you mean resemblyzer?"),
        (["--manifest", "no.jsonl"], "cannot be read"),
    ],
)
def test_wrong_input_is_told_without_a_traceback(
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
def test_a_file_that_is_no_audio_is_told(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "clip.wav").write_bytes(content)
    result = probe(tmp_path / "clip.wav", "--text", "one")
    assert (result.exit_code, result.stdout) == (2, "") and message in result.stderr


@pytest.mark.parametrize("rate", [500, 900_000])
def test_a_rate_that_cannot_be_brought_to_the_probes_is_told(rate: int, tmp_path: Path) -> None:
    result = probe(recording(tmp_path / "clip.wav", WAVE, rate), "--text", "one")
    assert result.exit_code == 2 and f"{rate} Hz; convert it" in result.stderr


def test_quality_is_told_and_rejects_nothing(tmp_path: Path) -> None:
    noisy = recording(tmp_path / "noisy.wav", corrupted("noise 0 dB", WAVE, 1))
    clean = verdict(recording(tmp_path / "clip.wav", WAVE), "--text", TEXT, "--like", DEMO_VOICE)["measures"]["dnsmos"]
    said = verdict(noisy, "--text", TEXT)
    assert said["accepted"] and said["measures"]["dnsmos"]["value"] < clean["value"]
    assert clean["flag"] is None and "recordings of this one is" in clean["origin"]


def test_recordings_that_the_probe_itself_rejects_are_no_yardstick(tmp_path: Path) -> None:
    lines = []
    for number in range(3):
        recording(tmp_path / f"{number}.wav", np.clip(WAVE * 30, -1, 1))
        lines.append({"audio": f"{number}.wav", "text": TEXT})
    result = probe(CLIP, "--text", "one nine seven two", "--like", manifest(tmp_path, *lines))
    assert result.exit_code == 2 and "clipped in 3" in result.stderr


def test_the_table_names_the_verdict_the_measures_and_what_is_unknown(tmp_path: Path) -> None:
    result = probe(recording(tmp_path / "clip.wav", WAVE * 0), "--text", TEXT)
    assert "rejected: silent" in result.stdout and "at least -45" in result.stdout
    assert all(f"unknown: {flag}, " in result.stdout for flag in NEVER_KNOWN | NEEDS_VOICE | {"garbled"})


def test_numbers_that_are_none_stay_json(tmp_path: Path) -> None:
    clip = recording(tmp_path / "clip.wav", WAVE + np.nan)
    said = json.loads(probe(clip, "--text", TEXT, "--json").stdout, parse_constant=no_constant)
    assert said["measures"]["rms_dbfs"]["value"] is None and said["flags"][0] == "silent"


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "trainable.probe", CLIP, "--text", "one nine seven two", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["accepted"], done.stderr) == (0, True, "")
