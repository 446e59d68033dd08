"""Pitch track, and the ranges of pitch and level."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.support.corruptions import corrupted, demo_clips, joined_lines, pitch_shift
from trainable.probe.measures.prosody import (
    energy_range_db,
    flat_threshold,
    pitch_range_semitones,
    pitch_track,
)
from trainable.speech.audio import SAMPLE_RATE


@cache
def lines() -> list[np.ndarray]:
    return [wave for wave, _ in joined_lines(demo_clips())]


def glide(low: float, high: float, seconds: float = 3.0) -> np.ndarray:
    """A buzz between two pitches, in syllables, [samples] float32 at 24 kHz."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = np.cumsum(low * (high / low) ** (time / seconds)) / SAMPLE_RATE
    harmonics = sum(np.sin(2 * np.pi * n * phase + n) / n for n in range(1, 20))
    return (0.1 * harmonics * (1 + 0.9 * np.sin(2 * np.pi * 3 * time))).astype(np.float32)


@pytest.mark.parametrize("hertz", [70, 110, 160, 220, 350, 450])
def test_the_pitch_of_a_buzz(hertz: int) -> None:
    track = pitch_track(glide(hertz, hertz))
    assert np.isfinite(track).mean() > 0.7
    assert np.nanpercentile(track, (5, 95)) == pytest.approx((hertz, hertz), rel=0.01)
    assert pitch_range_semitones(glide(hertz, hertz)) < 0.2


@pytest.mark.parametrize("semitones", [3, 7, 12])
def test_a_glide_spans_four_fifths_of_its_interval(semitones: int) -> None:
    measured = pitch_range_semitones(glide(120, 120 * 2 ** (semitones / 12)))
    assert measured == pytest.approx(0.8 * semitones, rel=0.1)


@pytest.mark.parametrize("semitones", [-3, 4])
def test_a_shifted_voice_is_shifted_by_as_much(semitones: int) -> None:
    generator = np.random.default_rng(0)
    for wave in lines()[:8]:
        shifted = pitch_shift(wave, generator, semitones=semitones)
        moved = 12 * np.log2(np.nanmedian(pitch_track(shifted)) / np.nanmedian(pitch_track(wave)))
        assert moved == pytest.approx(semitones, abs=0.7)
        assert pitch_range_semitones(shifted) == pytest.approx(pitch_range_semitones(wave), abs=1.5)


@pytest.mark.parametrize(
    ("kind", "flat"),
    [("clean", 0), ("monotone", 10), ("rushed", 0), ("slow", 0), ("noise 20 dB", 0), ("pitch shift", 0)],
)
def test_a_monotone_line_is_flat(kind: str, flat: int) -> None:
    own = [pitch_range_semitones(wave) for wave in lines()[::2]]
    judged = [corrupted(kind, wave, seed) for seed, wave in enumerate(lines()[1::2])]
    assert sum(pitch_range_semitones(wave) < flat_threshold(own) for wave in judged) == flat


def test_compression_narrows_the_range_of_levels() -> None:
    for wave in lines():
        assert energy_range_db(corrupted("compressed", wave, 0)) < 0.75 * energy_range_db(wave)


def test_of_the_demo_voices_clips_one_at_most_is_flat_among_the_others() -> None:
    for measure in (pitch_range_semitones, energy_range_db):
        known = [each for each in (measure(wave) for wave, _ in demo_clips()) if each is not None]
        assert len(known) >= 46
        assert sum(each < flat_threshold(known[:place] + known[place + 1 :]) for place, each in enumerate(known)) <= 1


def test_noise_has_no_pitch() -> None:
    assert np.isfinite(pitch_track(corrupted("pure noise", lines()[0], 0))).sum() == 0
    assert pitch_range_semitones(corrupted("pure noise", lines()[0], 0)) is None


@pytest.mark.parametrize(("own", "threshold"), [((4.0,), 2.0), ((4.0,) * 19 + (1.0,), 2.0), ((), None)])
def test_the_threshold(own: tuple[float, ...], threshold: float | None) -> None:
    assert flat_threshold(own) == threshold


@pytest.mark.parametrize("decibels", [-20, 6])
def test_the_level_does_not_matter(decibels: int) -> None:
    for wave in lines():
        louder = wave * np.float32(10 ** (decibels / 20))
        assert pitch_range_semitones(louder) == pytest.approx(pitch_range_semitones(wave), abs=0.05)
        assert energy_range_db(louder) == pytest.approx(energy_range_db(wave), abs=0.05)


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan, np.inf, 1e30])
@pytest.mark.parametrize("samples", [0, 1, 1199, 1200, SAMPLE_RATE])
def test_samples_without_speech_have_no_pitch(samples: int, value: float) -> None:
    wave = np.full(samples, value, np.float32)
    assert not np.isfinite(pitch_track(wave)).any()
    assert pitch_range_semitones(wave) is None
    assert energy_range_db(wave) in (None, 0.0)
