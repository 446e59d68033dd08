"""Pauses before, between and after the words; and speech joined for the comparison of voices."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.support.corruptions import corrupted, demo_clips, joined_lines, noise, trailing_noise, trailing_silence
from tests.support.voices import tone
from trainable.probe.measures.pauses import Pauses, inner_above, pauses, pauses_too_long
from trainable.probe.measures.similarity import active_audio, joined
from trainable.speech.activity import active_frames, frame_levels, sound
from trainable.speech.audio import SAMPLE_RATE


@cache
def lines() -> list[np.ndarray]:
    return [wave for wave, _ in joined_lines(demo_clips())]


def too_long(kind: str) -> int:
    """Of the twenty lines, against the pauses of the clean ones."""
    own = [pauses(wave).longest_inner for wave in lines()]
    return sum(pauses_too_long(pauses(corrupted(kind, wave, seed)), own) for seed, wave in enumerate(lines()))


@pytest.mark.parametrize(
    "kind", ["inner pause", "trailing silence", "trailing noise", "trailing noise loud", "tone", "pure noise"]
)
def test_a_long_pause_is_found_in_every_line(kind: str) -> None:
    assert too_long(kind) == 20


@pytest.mark.parametrize(
    "kind",
    ["clean", "loop soft", "said twice", "noise 20 dB", "noise 10 dB", "buzz", "mu-law", "rushed", "trailing babble"],
)
def test_what_is_spoilt_otherwise_has_no_long_pause(kind: str) -> None:
    assert too_long(kind) <= 1


def test_none_of_the_demo_voices_clips_has_a_long_pause() -> None:
    assert not any(pauses_too_long(pauses(wave), []) for wave, _ in demo_clips())


@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.0])
@pytest.mark.parametrize("below", [None, 40.0, 30.0])
def test_a_tail_is_as_long_as_it_is(seconds: float, below: float | None) -> None:
    generator = np.random.default_rng(0)
    for wave in lines():
        if below is None:
            longer = trailing_silence(wave, generator, seconds=seconds)
        else:
            longer = trailing_noise(wave, generator, seconds=seconds, below=below)
        assert pauses(longer).tail - pauses(wave).tail == pytest.approx(seconds, abs=0.15)


def test_lead_inner_pause_and_tail_are_told_apart() -> None:
    word, quiet = lines()[0][:SAMPLE_RATE], np.zeros(SAMPLE_RATE, np.float32)
    own = pauses(word)
    found = pauses(np.concatenate([quiet, word, quiet, quiet, word, quiet, quiet, quiet]))
    assert found.lead == pytest.approx(1.0 + own.lead, abs=0.2)
    assert found.longest_inner == pytest.approx(2.0 + own.lead + own.tail, abs=0.2)
    assert found.tail == pytest.approx(3.0 + own.tail, abs=0.2)


def test_room_noise_under_a_pause_does_not_fill_it() -> None:
    wave = corrupted("inner pause", lines()[0], 0)
    for snr in (30.0, 20.0, 10.0):
        noisy = noise(wave, np.random.default_rng(0), snr=snr)
        assert pauses(noisy).longest_inner == pytest.approx(pauses(wave).longest_inner, abs=0.2)


def test_minutes_of_silence_after_a_line_are_its_tail() -> None:
    wave = lines()[0]
    found = pauses(np.concatenate([wave, np.zeros(160 * SAMPLE_RATE, np.float32)]))
    assert found.tail == pytest.approx(160 + pauses(wave).tail, abs=0.15)


def test_a_click_does_not_end_a_tail() -> None:
    wave = corrupted("trailing silence", lines()[0], 0)
    wave[-SAMPLE_RATE // 2 : -SAMPLE_RATE // 2 + 200] = 0.5
    assert pauses(wave).tail > 1.5


@pytest.mark.parametrize(
    ("measured", "calibrated", "verdict"),
    [
        (Pauses(lead=9.0, longest_inner=1.5, tail=1.5), (), False),
        (Pauses(lead=0.0, longest_inner=1.6, tail=0.0), (), True),
        (Pauses(lead=0.0, longest_inner=1.6, tail=0.0), (0.3, 1.2), True),
        (Pauses(lead=0.0, longest_inner=1.6, tail=0.0), (0.3, 1.8), False),
        (Pauses(lead=0.0, longest_inner=0.0, tail=1.6), (0.3, 1.8), True),
    ],
)
def test_the_rule(measured: Pauses, calibrated: tuple[float, ...], verdict: bool) -> None:
    assert pauses_too_long(measured, calibrated) is verdict
    assert inner_above(calibrated) == max(1.5, *calibrated, 0.0)


@pytest.mark.parametrize("decibels", [-20, 6])
def test_the_level_does_not_matter(decibels: int) -> None:
    for wave in lines():
        assert pauses(wave * np.float32(10 ** (decibels / 20))) == pauses(wave)


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan, np.inf, 1e30])
@pytest.mark.parametrize("samples", [0, 1, 479, 480, SAMPLE_RATE, 200 * SAMPLE_RATE])
def test_any_samples_have_pauses(samples: int, value: float) -> None:
    wave = np.full(samples, value, np.float32)
    found = pauses(wave)
    length = min(samples / SAMPLE_RATE, 180.0)
    assert all(0 <= each <= length for each in (found.lead, found.longest_inner, found.tail))
    assert np.isfinite(frame_levels(sound(wave))).all()
    assert active_audio(wave).size <= samples
    assert joined([wave]) == [] or samples


def test_a_steady_tone_is_not_speech_and_a_word_is() -> None:
    assert not active_frames(tone(3.0)).any()
    assert active_frames(lines()[0]).mean() > 0.5


def test_clips_are_joined_to_seven_seconds_of_speech() -> None:
    clips = [wave for wave, _ in demo_clips()]
    pieces = joined(clips)
    assert all(piece.size >= 7.0 * SAMPLE_RATE for piece in pieces)
    assert np.array_equal(np.concatenate(pieces), np.concatenate([active_audio(wave) for wave in clips]))
    longest = max(wave.size for wave in clips)
    assert all(piece.size < 7.0 * SAMPLE_RATE + longest for piece in pieces[:-1])


@pytest.mark.parametrize(("count", "pieces"), [(0, 0), (1, 1), (3, 1)])
def test_too_little_speech_is_one_piece(count: int, pieces: int) -> None:
    assert len(joined([wave for wave, _ in demo_clips()[:count]])) == pieces
