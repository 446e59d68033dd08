"""Pauses between and after the words, and speech joined for speaker similarity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from tests.support.corruptions import corrupted, demo_clips, joined_lines, noise, trailing_noise, trailing_silence
from tests.support.voices import tone
from trainable.probe.measures.pauses import MAX_TAIL, inner_pause_threshold, measure_pauses
from trainable.probe.measures.similarity import active_audio, speech_pieces
from trainable.speech.activity import active_frames, frame_levels, sanitize
from trainable.speech.audio import SAMPLE_RATE


@cache
def lines() -> list[np.ndarray]:
    return [wave for wave, _ in joined_lines(demo_clips())]


def too_long(kind: str) -> int:
    """Of the twenty lines, against the pauses of the clean ones."""
    own = [measure_pauses(wave).longest_inner for wave in lines()]
    return sum(pauses_too_long(corrupted(kind, wave, seed), own) for seed, wave in enumerate(lines()))


def pauses_too_long(wave: np.ndarray, own: Sequence[float]) -> bool:
    pauses = measure_pauses(wave)
    return pauses.tail > MAX_TAIL or pauses.longest_inner > inner_pause_threshold(own)


@pytest.mark.parametrize(
    "kind", ["inner pause", "trailing silence", "trailing noise", "trailing noise loud", "tone", "pure noise"]
)
def test_a_long_pause_is_found_in_every_line(kind: str) -> None:
    assert too_long(kind) == 20


@pytest.mark.parametrize(
    "kind",
    ["clean", "loop soft", "said twice", "noise 20 dB", "noise 10 dB", "buzz", "mu-law", "rushed", "trailing babble"],
)
def test_other_corruptions_have_no_long_pause(kind: str) -> None:
    assert too_long(kind) <= 1


def test_none_of_the_demo_voices_clips_has_a_long_pause() -> None:
    assert not any(pauses_too_long(wave, []) for wave, _ in demo_clips())


@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.0])
@pytest.mark.parametrize("below", [None, 40.0, 30.0])
def test_the_length_of_a_tail(seconds: float, below: float | None) -> None:
    generator = np.random.default_rng(0)
    for wave in lines():
        if below is None:
            longer = trailing_silence(wave, generator, seconds=seconds)
        else:
            longer = trailing_noise(wave, generator, seconds=seconds, below=below)
        assert measure_pauses(longer).tail - measure_pauses(wave).tail == pytest.approx(seconds, abs=0.15)


def test_inner_pause_and_tail_are_told_apart() -> None:
    word, quiet = lines()[0][:SAMPLE_RATE], np.zeros(SAMPLE_RATE, np.float32)
    before, after = measure_pauses(word[::-1]).tail, measure_pauses(word).tail
    found = measure_pauses(np.concatenate([quiet, word, quiet, quiet, word, quiet, quiet, quiet]))
    assert found.longest_inner == pytest.approx(2.0 + before + after, abs=0.2)
    assert found.tail == pytest.approx(3.0 + after, abs=0.2)


def test_room_noise_under_a_pause_does_not_fill_it() -> None:
    wave = corrupted("inner pause", lines()[0], 0)
    for snr in (30.0, 20.0, 10.0):
        noisy = noise(wave, np.random.default_rng(0), snr=snr)
        assert measure_pauses(noisy).longest_inner == pytest.approx(measure_pauses(wave).longest_inner, abs=0.2)


def test_minutes_of_trailing_silence_are_the_tail() -> None:
    wave = lines()[0]
    found = measure_pauses(np.concatenate([wave, np.zeros(160 * SAMPLE_RATE, np.float32)]))
    assert found.tail == pytest.approx(160 + measure_pauses(wave).tail, abs=0.15)


def test_a_click_does_not_end_a_tail() -> None:
    wave = corrupted("trailing silence", lines()[0], 0)
    wave[-SAMPLE_RATE // 2 : -SAMPLE_RATE // 2 + 200] = 0.5
    assert measure_pauses(wave).tail > 1.5


@pytest.mark.parametrize(("own", "threshold"), [((), 1.5), ((0.3, 1.2), 1.5), ((0.3, 1.8), 1.8)])
def test_the_threshold(own: tuple[float, ...], threshold: float) -> None:
    assert inner_pause_threshold(own) == threshold


@pytest.mark.parametrize("decibels", [-20, 6])
def test_the_level_does_not_matter(decibels: int) -> None:
    for wave in lines():
        assert measure_pauses(wave * np.float32(10 ** (decibels / 20))) == measure_pauses(wave)


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan, np.inf, 1e30])
@pytest.mark.parametrize("samples", [0, 1, 479, 480, SAMPLE_RATE, 200 * SAMPLE_RATE])
def test_any_samples_have_pauses(samples: int, value: float) -> None:
    wave = np.full(samples, value, np.float32)
    found = measure_pauses(wave)
    length = min(samples / SAMPLE_RATE, 180.0)
    assert all(0 <= each <= length for each in (found.longest_inner, found.tail))
    assert np.isfinite(frame_levels(sanitize(wave))).all()
    assert active_audio(wave).size <= samples
    assert speech_pieces([wave]) == [] or samples


def test_a_steady_tone_is_not_speech_and_a_word_is() -> None:
    assert not active_frames(tone(3.0)).any()
    assert active_frames(lines()[0]).mean() > 0.5


def test_clips_are_joined_to_seven_seconds_of_speech() -> None:
    clips = [wave for wave, _ in demo_clips()]
    pieces = speech_pieces(clips)
    assert all(piece.size >= 7.0 * SAMPLE_RATE for piece in pieces)
    assert np.array_equal(np.concatenate(pieces), np.concatenate([active_audio(wave) for wave in clips]))
    longest = max(wave.size for wave in clips)
    assert all(piece.size < 7.0 * SAMPLE_RATE + longest for piece in pieces[:-1])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_little_speech_makes_no_piece(count: int) -> None:
    assert speech_pieces([wave for wave, _ in demo_clips()[:count]]) == []
