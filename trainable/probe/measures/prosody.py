"""Melody and dynamics: how far the pitch and the level of a voice move.

How a line was delivered: its pitch, its level, its length.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spaces.records.confirmation import Delivery
from trainable.speech.activity import active_frames, frame_levels, sound
from trainable.speech.audio import SAMPLE_RATE

WINDOW, HOP = 1200, 480
"""Samples: 50 ms hold three periods of the lowest pitch; one frame every 20 ms, in step with `activity`."""

LOWEST, HIGHEST = 60.0, 500.0
"""Hz of the pitches looked for."""

VOICED = 0.5
"""Normalised autocorrelation from which a frame is voiced (Boersma 1993 takes 0.45)."""

NEAR_BEST = 0.88
"""The shortest period whose peak comes so near to the best one is the pitch's; the best alone is often two periods."""

HARMONICS = 1_200.0
"""Hz above which the spectrum is left out: the first harmonics tell the pitch, formants and noise mislead."""

NEIGHBOURS = 5
"""Frames of the median that removes a lone jump by an octave."""

JUMP = 0.6
"""Octaves from the median of the voice at which a frame's pitch counts as a mistake by an octave and is left out."""

LEAST_VOICED = 10
"""Voiced frames, 0.2 s, below which nothing is said about a melody."""

LOW, HIGH = 10, 90
"""Percentiles that span a range: extremes of a pitch track are its mistakes."""

FLAT = 0.5
"""A line whose range is below half the lowest tenth of the voice's own clips is flat."""

FLAT_PERCENTILE = 10


def pitch_track(wave: np.ndarray) -> np.ndarray:
    """[samples] float32 at 24 kHz → [frames of 20 ms] float64: Hz, nan where no voice sounds.

    Peaks of the autocorrelation over that of the window (Boersma 1993).
    """
    wave = sound(wave)
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
    spectrum[:, int(HARMONICS * size / SAMPLE_RATE) :] = 0
    longest = int(SAMPLE_RATE / LOWEST) + 2
    own = np.fft.irfft(np.abs(np.fft.rfft(taper, size)) ** 2)[:longest]
    correlation = np.fft.irfft(spectrum)[:, :longest]
    correlation = correlation / (correlation[:, :1] + 1e-12) / (own / own[0])
    lag, strength = _first_peak(correlation)
    track[active] = np.where(strength >= VOICED, SAMPLE_RATE / lag, np.nan)
    return _without_jumps(track)


def pitch_range_semitones(wave: np.ndarray) -> float | None:
    """90th minus 10th percentile of the pitch of [samples] float32 at 24 kHz; None with less than 0.2 s of voice."""
    track = pitch_track(wave)
    voiced = track[np.isfinite(track)]
    if voiced.size < LEAST_VOICED:
        return None
    low, high = np.percentile(np.log2(voiced), (LOW, HIGH))
    return float(12 * (high - low))


def energy_range_db(wave: np.ndarray) -> float | None:
    """90th minus 10th percentile of the level of active frames, dB; None with less than 0.2 s of speech."""
    wave = sound(wave)
    levels = frame_levels(wave)[active_frames(wave)]
    if levels.size < LEAST_VOICED:
        return None
    low, high = np.percentile(levels, (LOW, HIGH))
    return float(high - low)


def flat_below(calibrated: Sequence[float]) -> float | None:
    """The range below which a line is flat, given those of the voice's own clips; None without any."""
    return FLAT * float(np.percentile(calibrated, FLAT_PERCENTILE)) if calibrated else None


def is_flat(measured: float | None, calibrated: Sequence[float]) -> bool:
    """Whether a range, of pitch or of energy, lies far below the voice's own; never for what could not be measured."""
    threshold = flat_below(calibrated)
    return measured is not None and threshold is not None and measured < threshold


def _first_peak(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[frames, lags] → lag of each frame's shortest near-best peak, to a fraction of a sample, and its height."""
    first = int(SAMPLE_RATE / HIGHEST)
    inner = correlation[:, first:-1]
    peak = (inner >= correlation[:, first - 1 : -2]) & (inner > correlation[:, first + 1 :])
    heights = np.where(peak, inner, -1.0)
    place = np.argmax(heights >= NEAR_BEST * np.maximum(heights.max(axis=1, keepdims=True), 1e-3), axis=1) + first
    rows = np.arange(len(correlation))
    before, here, after = (correlation[rows, place + step] for step in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), 0.0)
    return place + np.clip(shift, -0.5, 0.5), heights[rows, place - first]


def _without_jumps(track: np.ndarray) -> np.ndarray:
    """The track smoothed by a running median, without frames about an octave away from the voice's own pitch."""
    padded = np.pad(track, NEIGHBOURS // 2, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, NEIGHBOURS)
    voiced = np.isfinite(track)
    smooth = np.full(track.size, np.nan)
    if voiced.any():
        smooth[voiced] = np.nanmedian(around[voiced], axis=1)
        smooth[np.abs(np.log2(smooth / np.nanmedian(smooth))) > JUMP] = np.nan
    return smooth


NO_LEVEL = -120.0
"""dBFS where nothing is spoken: the least that a frame's level can be."""


def delivery(wave: np.ndarray, audio: str) -> Delivery:
    """wave: [samples] float32 at 24 kHz; `audio` is what its recording is called."""
    track = pitch_track(wave)
    voiced = track[np.isfinite(track)]
    heard = sound(wave)
    levels = frame_levels(heard)[active_frames(heard)]
    return Delivery(
        audio=audio,
        pitch=float(np.median(voiced)) if voiced.size >= LEAST_VOICED else None,
        level=float(np.median(levels)) if levels.size else NO_LEVEL,
        seconds=wave.size / SAMPLE_RATE,
    )
