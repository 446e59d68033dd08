"""Noise of a clip (hiss, buzz, crackle), measured by the spectral flatness of its vowels."""

from collections.abc import Sequence

import numpy as np

from trainable.speech.activity import SILENT_DB, frame_levels, loud_level, sanitize
from trainable.speech.audio import SAMPLE_RATE

WINDOW, HOP = 1024, 480
MIN_HZ, MAX_HZ = 150.0, 7_500.0
"""Hz; a recording upsampled from 16 kHz has nothing above 8 kHz and must not count as tonal for that."""

BELOW_LOUD = 15.0
"""dB below the loud windows; quieter windows are pauses and weak consonants."""

VOWEL_PERCENTILE = 25
"""Percentile of the windows' flatness: vowels are the least flat part of speech. A mean or median also depends on the
number of fricatives in a line: over 25 dB the mean missed most noise at 20 dB on the demo voice, this percentile none.
Set on 128 clips of seven espeak-ng and flite voices and the demo voice."""

Z_SCORE, MIN_SPREAD = 5.0, 0.6
"""A noisy clip is this many standard deviations above the mean of the voice's own clips. A spread below 0.6 dB counts
as 0.6, since few or equal clips say little about it: the voices of the calibration set spread by 0.7 to 2.6 dB."""

HIGHEST_FACTOR = 1.5
"""It is also this many times flatter than the flattest of them."""

SILENT_FLATNESS = -120.0


def flatness(wave: np.ndarray) -> float:
    """Spectral flatness of the vowels of [samples] float32 at 24 kHz, in dB, in [-120, 0].

    Flatness is the geometric over the arithmetic mean of a window's power spectrum (Gray and Markel 1974): about -35 dB
    for clean vowels and -2.5 dB for white noise, at any level. -120 for a silent clip.
    """
    wave = sanitize(wave)
    count = (wave.size - WINDOW) // HOP + 1
    if count < 1 or frame_levels(wave).max() < SILENT_DB:
        return SILENT_FLATNESS
    windows = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP] * np.hanning(WINDOW).astype(np.float32)
    low, high = (int(hertz * WINDOW / SAMPLE_RATE) for hertz in (MIN_HZ, MAX_HZ))
    power = np.abs(np.fft.rfft(windows)[:, low:high]).astype(np.float64) ** 2
    mean = power.mean(axis=1)
    loudness = 10 * np.log10(np.maximum(mean, 1e-12))
    loud = loudness > loud_level(loudness) - BELOW_LOUD
    geometric = np.log(np.maximum(power[loud], 1e-12 * mean[loud, None] + 1e-30)).mean(axis=1)
    decibels = 10 / np.log(10) * (geometric - np.log(mean[loud] + 1e-30))
    return float(np.clip(np.percentile(decibels, VOWEL_PERCENTILE), SILENT_FLATNESS, 0.0))


def noise_threshold(own: Sequence[float]) -> float | None:
    """The flatness in dB above which a clip is noisy, given those of the voice's own clips; None without any."""
    if not own:
        return None
    spread = float(np.std(own, ddof=1)) if len(own) > 1 else 0.0
    by_spread = float(np.mean(own)) + Z_SCORE * max(spread, MIN_SPREAD)
    return max(by_spread, max(own) + 10 * float(np.log10(HIGHEST_FACTOR)))
