"""Measures of recordings, their cache, and the ranking of references."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import trainable.dataset.measure as measuring
from spaces.errors import InputError
from tests.support.measured_clips import clip, varied
from tests.support.voices import tone
from trainable.dataset.clip import ClipMeasures
from trainable.dataset.measure import measure, measure_all
from trainable.dataset.reference import describe_reference, rank_references
from trainable.speech.audio import SAMPLE_RATE


def write(path: Path, wave: np.ndarray, rate: int = SAMPLE_RATE, **options) -> Path:
    soundfile.write(path, wave, rate, **options)
    return path


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * SAMPLE_RATE), dtype=np.float32)


def hiss(seconds: float, level: float, rate: int = SAMPLE_RATE) -> np.ndarray:
    return (level * np.random.default_rng(0).standard_normal(int(seconds * rate))).astype(np.float32)


def ignore(done: int, of: int) -> None:
    pass


def test_measures_of_a_tone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(2.0), subtype="FLOAT")
    found = measure(path)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.rate, found.channels, found.seconds) == (SAMPLE_RATE, 1, 2.0)
    assert found.rms_dbfs == pytest.approx(20 * np.log10(0.3 / np.sqrt(2)), abs=0.01)
    assert (found.clipped_share, found.speech_share, found.longest_pause) == (0.0, 1.0, 0.0)
    assert found.dc == pytest.approx(0.0, abs=1e-5)
    assert 200 <= found.bandwidth <= 350


def test_speech_and_pauses_are_distinguished(tmp_path: Path) -> None:
    parts = [silence(0.2), tone(1.0), silence(0.6), tone(1.0), silence(1.2)]
    found = measure(write(tmp_path / "a.wav", np.concatenate(parts)))
    assert found.speech_share == pytest.approx(0.5, abs=0.01)
    assert found.longest_pause == pytest.approx(1.2, abs=0.021)
    assert found.noise_dbfs == -120.0


@pytest.mark.parametrize("down", [20, 40])
def test_noise_is_the_level_of_the_pauses(tmp_path: Path, down: float) -> None:
    wave = np.concatenate([tone(1.0), silence(1.0)]) + hiss(2.0, 10 ** (-down / 20))
    assert measure(write(tmp_path / "a.wav", wave, subtype="FLOAT")).noise_dbfs == pytest.approx(-down, abs=1.5)


@pytest.mark.parametrize("wave", [silence(1.0), tone(1.0) * 1e-3, silence(0.001)])
def test_silence_holds_no_speech(tmp_path: Path, wave: np.ndarray) -> None:
    found = measure(write(tmp_path / "a.wav", wave, subtype="FLOAT"))
    assert (found.speech_share, found.bandwidth) == (0.0, 0.0)
    assert found.longest_pause == pytest.approx(found.seconds)


def test_clipping_and_dc_offset_are_measured(tmp_path: Path) -> None:
    loud = np.clip(tone(1.0) * 5, -1, 1)
    assert measure(write(tmp_path / "a.wav", loud)).clipped_share == pytest.approx(np.mean(np.abs(loud) >= 0.985))
    found = measure(write(tmp_path / "b.wav", tone(1.0) + 0.1, subtype="FLOAT"))
    assert found.dc == pytest.approx(0.1, abs=1e-4)


@pytest.mark.parametrize(("rate", "top"), [(8_000, 4_000), (24_000, 12_000), (48_000, 24_000)])
def test_bandwidth_is_that_of_the_sound(tmp_path: Path, rate: int, top: int) -> None:
    assert measure(write(tmp_path / "a.wav", hiss(1.0, 0.1, rate), rate)).bandwidth == pytest.approx(top, rel=0.02)


def test_resampling_does_not_widen_the_bandwidth(tmp_path: Path) -> None:
    spectrum = np.fft.rfft(hiss(2.0, 0.1))
    spectrum[np.fft.rfftfreq(2 * SAMPLE_RATE, 1 / SAMPLE_RATE) > 4_000] = 0
    wave = np.fft.irfft(spectrum)
    assert measure(write(tmp_path / "a.wav", wave)).bandwidth == pytest.approx(4_000, abs=100)


def test_channels_are_averaged(tmp_path: Path) -> None:
    wave = np.stack([tone(1.0), -tone(1.0)], axis=1)
    found = measure(write(tmp_path / "a.flac", wave, 44_100))
    assert (found.channels, found.rate, found.rms_dbfs) == (2, 44_100, -120.0)


def test_measures_do_not_depend_on_the_block_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wave = np.concatenate([tone(1.3), silence(0.7), hiss(1.011, 0.05)])
    path = write(tmp_path / "a.wav", wave)
    whole = measure(path)
    monkeypatch.setattr(measuring, "BLOCK_SAMPLES", 5_000)
    assert measure(path).model_dump(exclude={"sha256"}) == pytest.approx(whole.model_dump(exclude={"sha256"}))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.wav", None, "no such audio file"),
        ("a.wav", b"", "not readable as audio.*convert it to WAV or FLAC"),
        ("a.wav", b"RIFF\x00\x00\x00\x00WAVEfmt ", "not readable as audio"),
        ("a.raw", b"\0" * 100, "not readable as audio"),
        ("a b.m4a", b"\0\0\0 ftypM4A ", r'ffmpeg -i "a b\.m4a" "a b\.wav"'),
        ("a.AAC", b"", "ffmpeg"),
        ("n" * 300 + ".wav", None, "."),
    ],
)
def test_an_unreadable_file_raises_an_error_with_a_remedy(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        measure(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("wave", "rate", "message"),
    [
        (silence(0), SAMPLE_RATE, "empty, it holds 0 samples"),
        (tone(1.0) * np.nan, SAMPLE_RATE, "not finite"),
        (tone(1.0) + np.inf, SAMPLE_RATE, "not finite"),
        (tone(1.0), 5, "header says 5 Hz"),
        (tone(0.1), 2_000_000_000, "header says 2000000000 Hz"),
    ],
)
def test_a_file_without_usable_samples_raises_an_error(
    tmp_path: Path, wave: np.ndarray, rate: int, message: str
) -> None:
    path = write(tmp_path / "a.wav", wave, rate, subtype="FLOAT")
    with pytest.raises(InputError, match=message):
        measure(path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["WAV", "FLAC", "AIFF", "CAF", "OGG"]),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=8),
    st.integers(0, 4_000),
)
def test_a_corrupted_file_raises_no_other_error(tmp_path: Path, kind: str, spots: list, length: int) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    soundfile.write(path, tone(0.05), SAMPLE_RATE, format=kind)
    content = bytearray(path.read_bytes())
    for place, value in spots:
        content[place % len(content)] = value
    path.write_bytes(content[: length or None])
    try:
        found = measure(path)
    except InputError:
        return
    assert ClipMeasures.model_validate_json(found.model_dump_json()) == found


def test_measures_are_cached_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write(tmp_path / f"{place}.wav", tone(0.5 + place / 10)) for place in range(5)]
    first = measure_all(paths, tmp_path / "cache", ignore)
    write(paths[2], tone(0.9))
    asked = []
    monkeypatch.setattr(measuring, "measure", lambda path: asked.append(path) or measure(path))
    second = measure_all(paths, tmp_path / "cache", ignore)
    assert asked == [paths[2]]
    assert list(second) == paths and second[paths[2]].seconds == pytest.approx(0.9)
    assert [second[path] for path in paths if path != paths[2]] == [first[path] for path in paths if path != paths[2]]


def test_a_change_of_equal_size_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(0.5))
    before = measure_all([path], tmp_path / "cache", ignore)[path]
    write(path, silence(0.5))
    os.utime(path, ns=(1, 1))
    assert measure_all([path], tmp_path / "cache", ignore)[path].rms_dbfs < before.rms_dbfs


def test_errors_are_returned_beside_measures(tmp_path: Path) -> None:
    good, bad = write(tmp_path / "a.wav", tone(0.5)), tmp_path / "b.wav"
    told: list[tuple[int, int]] = []
    found = measure_all([bad, good, bad], tmp_path / "cache", lambda *step: told.append(step))
    assert list(found) == [bad, good]
    assert isinstance(found[bad], InputError) and isinstance(found[good], ClipMeasures)
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize("content", [b"", b"{", b'{"sha256": 1}', b"\xff\xfe"])
def test_a_corrupted_cache_entry_is_measured_again(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "a.wav", tone(0.5))
    found = measure_all([path], tmp_path / "cache", ignore)
    (kept,) = (tmp_path / "cache").rglob("*.json")
    kept.write_bytes(content)
    assert measure_all([path], tmp_path / "cache", ignore) == found
    assert kept.read_bytes() != content


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(0.5))
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert measure_all([path], tmp_path / "cache", ignore)[path].seconds == 0.5


LINE = "some words that are said " * 9


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"seconds": 14.0}, {"seconds": 8.0}),
        ({"seconds": 14.0}, {"seconds": 35.0}),
        ({"seconds": 9.0}, {"seconds": 8.0}),
        ({"seconds": 40.0}, {"seconds": 50.0}),
        ({}, {"clipped_share": 0.01}),
        ({}, {"noise_dbfs": -35.0}),
        ({}, {"longest_pause": 3.0}),
        ({}, {"rms_dbfs": -32.0}),
        ({}, {"rms_dbfs": -6.0}),
        ({}, {"bandwidth": 3_500.0}),
        ({}, {"text": LINE * 3}),
        ({"seconds": 5.0}, {"text": "few words", "seconds": 14.0}),
        ({"seconds": 2.0}, {"speech_share": 0.0}),
    ],
)
def test_the_better_reference_comes_first(better: dict, worse: dict) -> None:
    def made(place: int, changes: dict):
        text = LINE[: round(16 * changes["seconds"])] if "seconds" in changes and "text" not in changes else LINE
        return clip(**{"text": text, "place": place, "rms_dbfs": -20.0, "seconds": 14.0, **changes})

    others = [clip(LINE[:40], 100 + place, rms_dbfs=-20.0, seconds=2.4) for place in range(9)]
    good, bad = made(1, better), made(2, worse)
    ranked = rank_references([bad, *others, good])
    assert ranked.index(good) < ranked.index(bad)


def test_of_equal_clips_the_longer_comes_first() -> None:
    clips = [
        clip("x" * round(14 * seconds), place, seconds=seconds, rms_dbfs=-20.0)
        for place, seconds in enumerate((11.0, 20.0, 15.0))
    ]
    assert [each.seconds for each in rank_references(clips)] == [20.0, 15.0, 11.0]


@given(st.permutations(varied(8)))
def test_the_ranking_does_not_depend_on_the_order_of_the_clips(clips: list) -> None:
    assert rank_references(clips) == rank_references(varied(8))


def test_a_reference_is_described_in_a_sentence() -> None:
    good = clip(LINE, 1, seconds=14.0)
    assert describe_reference(good, [good]) == "clip_1.wav: 14.0 s, clean, and as loud and as fast as most clips."
    poor = clip("some words", 2, seconds=1.0, clipped_share=0.25)
    assert (
        describe_reference(poor, [poor])
        == "clip_2.wav: 1.0 s; it is shorter than 10 s and is clipped (25.0 % of its samples)."
    )


def test_no_clips_give_an_empty_ranking() -> None:
    assert rank_references([]) == []
