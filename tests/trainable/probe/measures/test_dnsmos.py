"""DNSMOS of a clip: the library's own scores, for any length and level."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from speechmos import dnsmos

from tests.support.corruptions import corrupted, demo_clips, joined_lines
from trainable.probe.measures.dnsmos import RATE, SPEECH_DBFS, WINDOW, quality, windows
from trainable.speech.activity import active_frames, frame_levels
from trainable.speech.audio import SAMPLE_RATE, resample

WAVE = next(wave for wave, _ in joined_lines(demo_clips(), 8.0))
LONG = next(wave for wave, _ in joined_lines(demo_clips(), 30.0))


def librarys(wave: np.ndarray) -> tuple[float, ...]:
    """Of the speech at the level that all is brought to."""
    levels = 10 ** (frame_levels(wave)[active_frames(wave)] / 10)
    heard = resample(wave * np.float32(10 ** (SPEECH_DBFS / 20) / np.sqrt(levels.mean())), SAMPLE_RATE, RATE)
    told = dnsmos.run(np.clip(heard, -1, 1), RATE)
    return tuple(float(told[name]) for name in ("ovrl_mos", "sig_mos", "bak_mos", "p808_mos"))


@pytest.mark.parametrize("samples", [int(4.6 * SAMPLE_RATE), 5 * SAMPLE_RATE, WINDOW * 3 // 2])
def test_a_clip_that_the_library_hears_at_once_has_its_scores(samples: int) -> None:
    assert dataclasses.astuple(quality(LONG[:samples])) == pytest.approx(librarys(LONG[:samples]), abs=1e-3)


def test_a_long_clip_differs_little_from_the_librarys_average() -> None:
    assert dataclasses.astuple(quality(LONG)) == pytest.approx(librarys(LONG), abs=0.2)


@pytest.mark.parametrize("gain", [0.03, 0.5])
def test_a_quieter_clip_is_no_better(gain: float) -> None:
    quiet, loud = quality(WAVE * np.float32(gain)), quality(WAVE)
    assert dataclasses.astuple(quiet) == pytest.approx(dataclasses.astuple(loud), abs=0.01)


def test_more_noise_is_worse() -> None:
    scores = [quality(corrupted(f"noise {snr} dB", WAVE, 1)).background for snr in (20, 10, 0)]
    assert quality(WAVE).background > scores[0] > scores[1] > scores[2]


def test_what_lies_beyond_full_scale_is_clipped_and_what_is_no_number_is_silent() -> None:
    loud = WAVE * (3 / np.abs(WAVE).max())
    assert quality(loud) == quality(np.clip(loud, -1, 1)) and quality(loud).p808 < quality(WAVE).p808
    broken = np.where(np.arange(WAVE.size) < 9, np.nan, WAVE)
    assert quality(broken) == quality(np.where(np.arange(WAVE.size) < 9, 0, WAVE).astype(np.float32))


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
    assert quality(wave) is None


@given(st.integers(1, 6 * WINDOW))
def test_windows_lie_evenly_within_the_clip(samples: int) -> None:
    heard = np.arange(samples, dtype=np.int64)
    found = windows(heard)
    assert all(each.size == WINDOW for each in found) and len(found) == max(1, round(samples / WINDOW))
    if samples <= WINDOW:
        assert np.array_equal(found[0], np.arange(WINDOW) % samples)
    elif len(found) > 1:
        starts = [each[0] for each in found]
        assert (starts[0], found[-1][-1]) == (0, samples - 1) and np.ptp(np.diff(starts)) <= 1
    else:
        assert found[0][0] == (samples - WINDOW) // 2
