"""Long-term average spectrum of a clip: a rough comparison of voices without a model."""

import numpy as np

from trainable.speech.audio import SAMPLE_RATE

WINDOW, HOP = 1024, 480
BANDS = 32
MIN_HZ, MAX_HZ = 80.0, 10_000.0
"""Hz; the bands are equally wide on a logarithmic axis."""

DYNAMIC_RANGE = 60.0
"""dB; the level of a band is at least this far below the loudest band's, so that the noise floor does not count."""

BELOW_LOUDEST = 30.0
"""dB below the loudest window; quieter windows are pauses and are left out."""


def average_spectrum(wave: np.ndarray) -> np.ndarray:
    """[samples] float32 at 24 kHz → [32] float64: level per band in dB minus their mean, so loudness has no effect.

    All zeros for a silent wave and one shorter than a window.
    """
    count = (wave.size - WINDOW) // HOP + 1
    if count < 1 or not np.any(wave):
        return np.zeros(BANDS)
    frames = np.lib.stride_tricks.sliding_window_view(wave.astype(np.float64), WINDOW)[::HOP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = np.geomspace(MIN_HZ, MAX_HZ, BANDS + 1) * WINDOW / SAMPLE_RATE
    bins = np.arange(power.shape[1])
    bands = np.stack(
        [power[:, (bins >= np.floor(low)) & (bins < np.ceil(high))].mean(axis=1) for low, high in _pairs(edges)], axis=1
    )
    level = 10 * np.log10(np.maximum(bands, bands.max() * 10 ** (-DYNAMIC_RANGE / 10)))
    loudness = 10 * np.log10(np.maximum(power.mean(axis=1), 1e-12))
    spectrum = level[loudness > loudness.max() - BELOW_LOUDEST].mean(axis=0)
    return spectrum - spectrum.mean()


def spectral_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square difference of two average spectra, in dB."""
    return float(np.sqrt(np.mean(np.square(one - other))))


def _pairs(edges: np.ndarray) -> list[tuple[float, float]]:
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
