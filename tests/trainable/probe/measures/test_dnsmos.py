"""DNSMOS of a clip: the library's own scores at any length and level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from speechmos import dnsmos

from tests.support.corruptions import corrupted, demo_clips, joined_lines
from trainable.probe.measures.dnsmos import RATE, SPEECH_DBFS, WINDOW, overall_quality, split_windows
from trainable.speech.activity import active_frames, frame_levels
from trainable.speech.audio import SAMPLE_RATE, resample

WAVE = next(wave for wave, _ in joined_lines(demo_clips(), 8.0))
LONG = next(wave for wave, _ in joined_lines(demo_clips(), 30.0))


def library_quality(wave: np.ndarray) -> float:
    """The score of the library itself, for speech scaled to `SPEECH_DBFS`."""
    levels = 10 ** (frame_levels(wave)[active_frames(wave)] / 10)
    heard = resample(wave * np.float32(10 ** (SPEECH_DBFS / 20) / np.sqrt(levels.mean())), SAMPLE_RATE, RATE)
    return float(dnsmos.run(np.clip(heard, -1, 1), RATE)["ovrl_mos"])


@pytest.mark.parametrize("samples", [int(4.6 * SAMPLE_RATE), 5 * SAMPLE_RATE, WINDOW * 3 // 2])
def test_a_clip_of_one_window_has_the_librarys_scores(samples: int) -> None:
    assert overall_quality(LONG[:samples]) == pytest.approx(library_quality(LONG[:samples]), abs=1e-3)


def test_a_long_clip_differs_little_from_the_librarys_average() -> None:
    assert overall_quality(LONG) == pytest.approx(library_quality(LONG), abs=0.2)


@pytest.mark.parametrize("gain", [0.03, 0.5])
def test_a_quieter_clip_is_no_better(gain: float) -> None:
    quiet, loud = overall_quality(WAVE * np.float32(gain)), overall_quality(WAVE)
    assert quiet == pytest.approx(loud, abs=0.01)


def test_more_noise_is_worse() -> None:
    scores = [overall_quality(corrupted(f"noise {snr} dB", WAVE, 1)) for snr in (20, 10, 0)]
    assert overall_quality(WAVE) > scores[0] > scores[1] > scores[2]


def test_samples_beyond_full_scale_are_clipped_and_nan_is_silence() -> None:
    loud = WAVE * (3 / np.abs(WAVE).max())
    assert overall_quality(loud) == overall_quality(np.clip(loud, -1, 1))
    broken = np.where(np.arange(WAVE.size) < 9, np.nan, WAVE)
    assert overall_quality(broken) == overall_quality(np.where(np.arange(WAVE.size) < 9, 0, WAVE).astype(np.float32))


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros(0, np.float32),
        np.zeros(5 * SAMPLE_RATE, np.float32),
        np.full(5 * SAMPLE_RATE, np.nan, np.float32),
        WAVE[: SAMPLE_RATE - 1],
        corrupted("pure noise", WAVE, 1),
        np.concatenate([np.zeros(3 * SAMPLE_RATE, np.float32), WAVE[SAMPLE_RATE : SAMPLE_RATE + SAMPLE_RATE // 4]]),
    ],
)
def test_hardly_any_speech_has_no_quality(wave: np.ndarray) -> None:
    assert overall_quality(wave) is None


@given(st.integers(1, 6 * WINDOW))
def test_windows_lie_evenly_within_the_clip(samples: int) -> None:
    heard = np.arange(samples, dtype=np.int64)
    found = split_windows(heard)
    assert all(each.size == WINDOW for each in found) and len(found) == max(1, round(samples / WINDOW))
    if samples <= WINDOW:
        assert np.array_equal(found[0], np.arange(WINDOW) % samples)
    elif len(found) > 1:
        starts = [each[0] for each in found]
        assert (starts[0], found[-1][-1]) == (0, samples - 1) and np.ptp(np.diff(starts)) <= 1
    else:
        assert found[0][0] == (samples - WINDOW) // 2
