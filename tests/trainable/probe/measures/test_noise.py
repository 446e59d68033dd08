"""Noise, compared with the voice's own clips."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.corruptions import corrupted, demo_clips, joined_lines, noise
from tests.support.voices import tone
from trainable.probe.measures.noise import SILENT_FLATNESS, flatness, noise_threshold
from trainable.speech.audio import SAMPLE_RATE

FLATNESSES = st.lists(st.floats(-60, -10), min_size=1, max_size=40)


@cache
def lines() -> list[np.ndarray]:
    return [wave for wave, _ in joined_lines(demo_clips())]


@cache
def calibrated() -> tuple[float, ...]:
    """Of every other line; the others are judged."""
    return tuple(flatness(wave) for wave in lines()[::2])


def noisy(kind: str) -> int:
    """Of the ten lines that are judged."""
    judged = enumerate(lines()[1::2])
    return sum(flatness(corrupted(kind, wave, seed)) > noise_threshold(calibrated()) for seed, wave in judged)


@pytest.mark.parametrize(
    "kind", ["noise 20 dB", "noise 10 dB", "noise 5 dB", "noise 0 dB", "buzz", "mu-law", "pure noise"]
)
def test_noise_is_found_in_every_line(kind: str) -> None:
    assert noisy(kind) == 10


@pytest.mark.parametrize(
    "kind",
    ["clean", "loop soft", "rushed", "slow", "reversed", "pitch shift", "inner pause", "trailing silence", "tone"],
)
def test_other_corruptions_are_not_noisy(kind: str) -> None:
    assert noisy(kind) == 0


def test_of_the_demo_voices_clips_none_is_noisy_among_the_others() -> None:
    measured = [flatness(wave) for wave, _ in demo_clips()]
    assert len(measured) == 48
    others = [measured[:place] + measured[place + 1 :] for place in range(48)]
    assert not any(each > noise_threshold(own) for each, own in zip(measured, others, strict=True))


def test_a_voice_recorded_in_noise_is_compared_with_its_own_noise() -> None:
    generator = np.random.default_rng(0)
    own = [flatness(noise(wave, generator, snr=20)) for wave in lines()]
    assert not any(each > noise_threshold(own[:place] + own[place + 1 :]) for place, each in enumerate(own))
    assert flatness(noise(lines()[0], generator, snr=0)) > noise_threshold(own)


@pytest.mark.parametrize(
    ("calibrated", "threshold"),
    [
        ((), None),
        ((-35.0,), -32.0),
        ((-35.0, -35.0, -35.0), -32.0),
        ((-36.0, -34.0), -35.0 + 5 * 2**0.5),
        ((-35.0,) * 40 + (-30.0,), -30.0 + 10 * np.log10(1.5)),
    ],
)
def test_the_threshold(calibrated: tuple[float, ...], threshold: float | None) -> None:
    assert noise_threshold(calibrated) == (threshold if threshold is None else pytest.approx(threshold))


@given(FLATNESSES)
def test_no_clip_is_noisy_among_clips_like_itself(measured: list[float]) -> None:
    assert not any(each > noise_threshold(measured) for each in measured)
    assert noise_threshold([]) is None


@pytest.mark.parametrize("decibels", [-20, 6])
def test_the_level_does_not_matter(decibels: int) -> None:
    for wave in lines():
        louder = wave * np.float32(10 ** (decibels / 20))
        assert flatness(louder) == pytest.approx(flatness(wave), abs=0.1)


@pytest.mark.parametrize("seconds", [0, 1 / SAMPLE_RATE, 0.03, 1.0])
@pytest.mark.parametrize("value", [0.0, 1.0, np.nan, np.inf, 1e30])
def test_any_samples_have_a_measure(seconds: float, value: float) -> None:
    wave = np.full(round(seconds * SAMPLE_RATE), value, np.float32)
    assert SILENT_FLATNESS <= flatness(wave) <= 0.0


def test_white_noise_is_flat_and_a_tone_is_not() -> None:
    assert -5.0 < flatness(corrupted("pure noise", lines()[0], 0)) < -2.0
    assert flatness(tone(2.0)) < -50.0
