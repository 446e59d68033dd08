"""The long-term average spectrum: a crude likeness of a voice that needs no model."""

from __future__ import annotations

import numpy as np

from trainable.speech.audio import SAMPLE_RATE

WINDOW, HOP = 1024, 480
BANDS = 32
LOWEST, HIGHEST = 80.0, 10_000.0
"""Hz; bands between them are equally wide on a logarithmic axis."""

DYNAMICS = 60.0
"""dB; a band further below the loudest band counts as this far below, so that a noise floor has no voice."""

BELOW_LOUDEST = 30.0
"""dB; windows further below the loudest one are pauses and are left out."""


def average_spectrum(wave: np.ndarray) -> np.ndarray:
    """[samples] float32 at 24 kHz → [32] float64: level per band in dB around its own mean, so loudness drops out.

    All zeros for a wave without sound or shorter than one window.
    """
    count = (wave.size - WINDOW) // HOP + 1
    if count < 1 or not np.any(wave):
        return np.zeros(BANDS)
    frames = np.lib.stride_tricks.sliding_window_view(wave.astype(np.float64), WINDOW)[::HOP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = np.geomspace(LOWEST, HIGHEST, BANDS + 1) * WINDOW / SAMPLE_RATE
    bins = np.arange(power.shape[1])
    bands = np.stack(
        [power[:, (bins >= np.floor(low)) & (bins < np.ceil(high))].mean(axis=1) for low, high in _pairs(edges)], axis=1
    )
    level = 10 * np.log10(np.maximum(bands, bands.max() * 10 ** (-DYNAMICS / 10)))
    loudness = 10 * np.log10(np.maximum(power.mean(axis=1), 1e-12))
    spectrum = level[loudness > loudness.max() - BELOW_LOUDEST].mean(axis=0)
    return spectrum - spectrum.mean()


def spectral_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square difference of two average spectra, in dB."""
    return float(np.sqrt(np.mean(np.square(one - other))))


def _pairs(edges: np.ndarray) -> list[tuple[float, float]]:
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
