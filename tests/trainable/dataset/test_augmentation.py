"""Augmented copies: each property changes by as much as asked, and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.encoding_plans import VOICE
from tests.support.voices import tone
from trainable.dataset.augmentation import augment, speech_rms
from trainable.dataset.encoding_plan import Augmentation
from trainable.speech.audio import SAMPLE_RATE, read_audio

NEUTRAL = Augmentation(speed=1.0, semitones=0.0, gain_db=0.0, snr_db=None, seed=0)
SEMITONE = 2 ** (1 / 12)


def augmentation(**values) -> Augmentation:
    return NEUTRAL.model_copy(update=values)


def clip(number: int) -> np.ndarray:
    return read_audio(VOICE / f"clip_{number:03d}.wav")


def hertz(wave: np.ndarray) -> float:
    """Frequency of the loudest partial in the middle half."""
    middle = wave[len(wave) // 4 : -len(wave) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 8 * len(middle)))
    return float(spectrum.argmax() * SAMPLE_RATE / (8 * len(middle)))


def pitch(wave: np.ndarray) -> float:
    """Median F0 of the voiced windows of speech, by autocorrelation."""
    found = []
    size, shortest, longest = 1200, SAMPLE_RATE // 300, SAMPLE_RATE // 60
    for start in range(0, len(wave) - 2 * size, size // 2):
        window = wave[start : start + 2 * size].astype(np.float64)
        window = window - window.mean()
        power = np.correlate(window, window, "full")[len(window) - 1 :]
        lag = shortest + int(power[shortest:longest].argmax())
        if power[0] > 1e-2 and power[lag] > 0.5 * power[0]:
            found.append(SAMPLE_RATE / lag)
    return float(np.median(found))


@pytest.mark.parametrize("wave", [tone(1.0), clip(0), tone(0.01), np.full(5, 2.0, np.float32)], ids=len)
def test_a_neutral_augmentation_gives_the_same_samples(wave: np.ndarray) -> None:
    assert np.array_equal(augment(wave.copy(), augmentation(seed=7)), wave)


@pytest.mark.parametrize("speed", [0.5, 0.9, 0.973, 1.1, 2.0])
def test_tempo_changes_the_length_and_keeps_the_pitch(speed: float) -> None:
    wave = tone(2.0, 220.0)
    faster = augment(wave, augmentation(speed=speed))
    assert len(faster) == round(len(wave) / speed)
    assert hertz(faster) == pytest.approx(220.0, rel=0.002)
    assert speech_rms(faster) == pytest.approx(speech_rms(wave), rel=0.05)


@pytest.mark.parametrize("semitones", [-12.0, -2.0, -0.37, 0.5, 2.0, 12.0])
def test_semitones_change_the_pitch_and_keep_the_length(semitones: float) -> None:
    wave = tone(2.0, 220.0)
    higher = augment(wave, augmentation(semitones=semitones))
    assert len(higher) == len(wave)
    assert hertz(higher) == pytest.approx(220.0 * SEMITONE**semitones, rel=0.002)
    assert speech_rms(higher) == pytest.approx(speech_rms(wave), rel=0.05)


@pytest.mark.parametrize(("speed", "semitones"), [(0.9, 0.0), (1.1, 0.0), (1.0, 2.0), (1.0, -2.0), (1.07, -1.3)])
def test_the_pitch_of_speech_follows_the_semitones_only(speed: float, semitones: float) -> None:
    for number in (0, 5):
        wave = clip(number)
        other = augment(wave, augmentation(speed=speed, semitones=semitones))
        assert len(other) == round(len(wave) / speed)
        assert pitch(other) == pytest.approx(pitch(wave) * SEMITONE**semitones, rel=0.03)


@pytest.mark.parametrize("gain", [-30.0, -3.0, 2.5])
def test_gain_is_in_decibels(gain: float) -> None:
    wave = tone(0.5)
    assert np.allclose(augment(wave, augmentation(gain_db=gain)), wave * 10 ** (gain / 20), rtol=1e-6)


def test_gain_is_reduced_where_the_wave_would_clip() -> None:
    wave = tone(0.5)
    loud = augment(wave, augmentation(gain_db=30.0))
    assert np.abs(loud).max() == pytest.approx(1.0, abs=1e-6)
    assert np.allclose(loud / np.abs(loud).max(), wave / np.abs(wave).max(), atol=1e-6)


@pytest.mark.parametrize("snr", [0.0, 10.0, 35.0])
@pytest.mark.parametrize("number", [0, 7])
def test_noise_has_the_given_snr(snr: float, number: int) -> None:
    wave = 0.2 * clip(number)
    noise = augment(wave, augmentation(snr_db=snr, seed=3)) - wave
    assert 20 * np.log10(speech_rms(wave) / np.sqrt(np.mean(noise**2))) == pytest.approx(snr, abs=0.2)
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    low, high = np.array_split(spectrum, 2)
    assert low.mean() == pytest.approx(high.mean(), rel=0.1)


def test_pauses_do_not_count_as_speech() -> None:
    wave = tone(1.0)
    assert speech_rms(np.concatenate([wave, np.zeros(3 * SAMPLE_RATE, np.float32)])) == pytest.approx(speech_rms(wave))


def test_the_seed_decides_the_noise() -> None:
    one, again, other = (augment(clip(1), augmentation(snr_db=20.0, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_silence_stays_silent() -> None:
    silence = np.zeros(SAMPLE_RATE, np.float32)
    assert not augment(silence, augmentation(speed=0.9, semitones=1.0, gain_db=20.0, snr_db=0.0)).any()


@settings(max_examples=60, deadline=None)
@given(
    samples=st.integers(1, 6000),
    loudness=st.floats(0, 1.5),
    speed=st.floats(0.5, 2.0),
    semitones=st.floats(-12, 12),
    gain=st.floats(-30, 30),
    snr=st.none() | st.floats(0, 80),
    seed=st.integers(0, 2**31 - 1),
)
def test_no_augmentation_gives_samples_that_clip(samples, loudness, speed, semitones, gain, snr, seed) -> None:
    wave = (np.random.default_rng(seed).uniform(-1, 1, samples) * loudness).astype(np.float32)
    by = Augmentation(speed=speed, semitones=semitones, gain_db=gain, snr_db=snr, seed=seed)
    before = wave.copy()
    out = augment(wave, by)
    assert out.dtype == np.float32 and out.shape == (max(1, round(samples / speed)),)
    assert np.isfinite(out).all()
    assert np.array_equal(wave, before)
    if by.model_copy(update={"seed": 0}) != NEUTRAL:
        assert np.abs(out).max() <= 1
    assert np.array_equal(augment(wave, by), out)
