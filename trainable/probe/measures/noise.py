"""How much a clip hisses, buzzes or crackles: noise fills the valleys that speech leaves in the spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainable.speech.activity import SILENT_DB, frame_levels, loud_level, sound
from trainable.speech.audio import SAMPLE_RATE

WINDOW, HOP = 1024, 480
LOWEST, HIGHEST = 150.0, 7_500.0
"""Hz; a recording brought up from 16 kHz has nothing above 8 kHz and must not pass for tonal because of it."""

BELOW_LOUD = 15.0
"""dB; windows further below the loud ones are pauses and weak consonants."""

VOWEL_PERCENTILE = 25
"""Of the windows' flatness: the vowels, which are the least flat part of speech. A mean or median also follows how many
fricatives a line has: over 25 dB the mean missed most noise at 20 dB on the demo voice, where this missed none. Set on
128 clips of seven espeak-ng and flite voices and the demo voice."""

Z_SCORE, LEAST_SPREAD = 5.0, 0.6
"""A noisy clip is so many standard deviations above the voice's own clips. A spread below 0.6 dB counts as 0.6, since
few or equal clips say little about it: the voices that the percentile was set on spread by 0.7 to 2.6 dB."""

TIMES_HIGHEST = 1.5
"""And so many times flatter than the flattest of them."""

SILENT_FLATNESS = -120.0


def flatness(wave: np.ndarray) -> float:
    """Spectral flatness of the vowels of [samples] float32 at 24 kHz, in dB, in [-120, 0].

    Flatness is the geometric over the arithmetic mean of a window's power spectrum (Gray and Markel 1974): about -35 dB
    for clean vowels and -2.5 dB for white noise, whatever the level. -120 for a clip without sound.
    """
    wave = sound(wave)
    count = (wave.size - WINDOW) // HOP + 1
    if count < 1 or frame_levels(wave).max() < SILENT_DB:
        return SILENT_FLATNESS
    windows = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP] * np.hanning(WINDOW).astype(np.float32)
    low, high = (int(hertz * WINDOW / SAMPLE_RATE) for hertz in (LOWEST, HIGHEST))
    power = np.abs(np.fft.rfft(windows)[:, low:high]).astype(np.float64) ** 2
    mean = power.mean(axis=1)
    loudness = 10 * np.log10(np.maximum(mean, 1e-12))
    loud = loudness > loud_level(loudness) - BELOW_LOUD
    geometric = np.log(np.maximum(power[loud], 1e-12 * mean[loud, None] + 1e-30)).mean(axis=1)
    decibels = 10 / np.log(10) * (geometric - np.log(mean[loud] + 1e-30))
    return float(np.clip(np.percentile(decibels, VOWEL_PERCENTILE), SILENT_FLATNESS, 0.0))


def noisy_above(calibrated: Sequence[float]) -> float | None:
    """The flatness, dB, above which a clip is noisy, given those of the voice's own clips; None without any."""
    if not calibrated:
        return None
    spread = float(np.std(calibrated, ddof=1)) if len(calibrated) > 1 else 0.0
    by_spread = float(np.mean(calibrated)) + Z_SCORE * max(spread, LEAST_SPREAD)
    return max(by_spread, max(calibrated) + 10 * float(np.log10(TIMES_HIGHEST)))


def is_noisy(measured: float, calibrated: Sequence[float]) -> bool:
    """Whether a clip of that flatness, dB, is noisy among those of the voice's own clips; never without any of them."""
    threshold = noisy_above(calibrated)
    return threshold is not None and measured > threshold
