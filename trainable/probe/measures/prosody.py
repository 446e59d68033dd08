"""Prosody of a clip: its pitch track, and the ranges of pitch and level."""

from collections.abc import Sequence

import numpy as np

from spaces.records.confirmation import Delivery
from trainable.speech.activity import active_frames, frame_levels, sanitize
from trainable.speech.audio import SAMPLE_RATE

WINDOW, HOP = 1200, 480
"""Samples: 50 ms hold three periods of the lowest pitch; one frame every 20 ms, aligned with `activity`."""

MIN_PITCH, MAX_PITCH = 60.0, 500.0
"""Hz; bounds of the pitch search."""

MIN_VOICED_CORRELATION = 0.5
"""Normalised autocorrelation from which a frame is voiced (Boersma 1993 takes 0.45)."""

NEAR_BEST_PEAK = 0.88
"""The shortest lag whose peak reaches this share of the highest peak is the period; the highest is often at two."""

LOWPASS_HZ = 1_200.0
"""Hz; the first harmonics show the pitch, while formants and noise above them mislead."""

MEDIAN_FRAMES = 5
"""Frames of the running median, which removes single octave errors."""

MAX_OCTAVES = 0.6
"""Octaves from the clip's median pitch beyond which a frame is an octave error and is dropped."""

MIN_VOICED_FRAMES = 10
"""With fewer voiced or active frames (0.2 s), pitch and ranges are unknown."""

LOW_PERCENTILE, HIGH_PERCENTILE = 10, 90
"""Percentiles that span a range, since the extremes of a pitch track are its errors."""

FLAT_FACTOR, FLAT_PERCENTILE = 0.5, 10
"""A line whose range is below half the 10th percentile of the voice's own clips is flat."""

SILENT_LEVEL = -120.0
"""dBFS without speech: the least level that a frame can have."""


def pitch_track(wave: np.ndarray) -> np.ndarray:
    """[samples] float32 at 24 kHz → [frames of 20 ms] float64: Hz, NaN in unvoiced frames.

    Picks a peak of the autocorrelation divided by that of the window (Boersma 1993).
    """
    wave = sanitize(wave)
    count = (wave.size - WINDOW) // HOP + 1
    if count < 1:
        return np.zeros(0)
    active = np.pad(active_frames(wave), (0, 3))[1 : count + 1]
    track = np.full(count, np.nan)
    if not active.any():
        return track
    size = 2 * 1 << (WINDOW - 1).bit_length()
    taper = np.hanning(WINDOW).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP][active]
    spectrum = np.abs(np.fft.rfft((windows - windows.mean(axis=1, keepdims=True)) * taper, size)) ** 2
    spectrum[:, int(LOWPASS_HZ * size / SAMPLE_RATE) :] = 0
    longest = int(SAMPLE_RATE / MIN_PITCH) + 2
    own = np.fft.irfft(np.abs(np.fft.rfft(taper, size)) ** 2)[:longest]
    correlation = np.fft.irfft(spectrum)[:, :longest]
    correlation = correlation / (correlation[:, :1] + 1e-12) / (own / own[0])
    lag, strength = _first_peak(correlation)
    track[active] = np.where(strength >= MIN_VOICED_CORRELATION, SAMPLE_RATE / lag, np.nan)
    return _without_jumps(track)


def pitch_range_semitones(wave: np.ndarray) -> float | None:
    """90th minus 10th percentile of the pitch of [samples] float32 at 24 kHz; None with less than 0.2 s voiced."""
    track = pitch_track(wave)
    voiced = track[np.isfinite(track)]
    if voiced.size < MIN_VOICED_FRAMES:
        return None
    low, high = np.percentile(np.log2(voiced), (LOW_PERCENTILE, HIGH_PERCENTILE))
    return float(12 * (high - low))


def energy_range_db(wave: np.ndarray) -> float | None:
    """90th minus 10th percentile of the level of active frames, dB; None with less than 0.2 s of speech."""
    wave = sanitize(wave)
    levels = frame_levels(wave)[active_frames(wave)]
    if levels.size < MIN_VOICED_FRAMES:
        return None
    low, high = np.percentile(levels, (LOW_PERCENTILE, HIGH_PERCENTILE))
    return float(high - low)


def measure_delivery(wave: np.ndarray, audio: str) -> Delivery:
    """Median pitch, median level and length of [samples] float32 at 24 kHz; `audio` is the recording's file name."""
    track = pitch_track(wave)
    voiced = track[np.isfinite(track)]
    clean = sanitize(wave)
    levels = frame_levels(clean)[active_frames(clean)]
    return Delivery(
        audio=audio,
        pitch=float(np.median(voiced)) if voiced.size >= MIN_VOICED_FRAMES else None,
        level=float(np.median(levels)) if levels.size else SILENT_LEVEL,
        seconds=wave.size / SAMPLE_RATE,
    )


def flat_threshold(own: Sequence[float]) -> float | None:
    """The range below which a line is flat, given those of the voice's own clips; None without any."""
    return FLAT_FACTOR * float(np.percentile(own, FLAT_PERCENTILE)) if own else None


def _first_peak(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[frames, lags] → each frame's shortest lag with a near-best peak, interpolated, and the height of that peak."""
    first = int(SAMPLE_RATE / MAX_PITCH)
    inner = correlation[:, first:-1]
    peak = (inner >= correlation[:, first - 1 : -2]) & (inner > correlation[:, first + 1 :])
    heights = np.where(peak, inner, -1.0)
    place = np.argmax(heights >= NEAR_BEST_PEAK * np.maximum(heights.max(axis=1, keepdims=True), 1e-3), axis=1) + first
    rows = np.arange(len(correlation))
    before, here, after = (correlation[rows, place + step] for step in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), 0.0)
    return place + np.clip(shift, -0.5, 0.5), heights[rows, place - first]


def _without_jumps(track: np.ndarray) -> np.ndarray:
    """The track smoothed by a running median, without frames about an octave away from its median."""
    padded = np.pad(track, MEDIAN_FRAMES // 2, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, MEDIAN_FRAMES)
    voiced = np.isfinite(track)
    smooth = np.full(track.size, np.nan)
    if voiced.any():
        smooth[voiced] = np.nanmedian(around[voiced], axis=1)
        smooth[np.abs(np.log2(smooth / np.nanmedian(smooth))) > MAX_OCTAVES] = np.nan
    return smooth
