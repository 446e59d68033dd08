"""The spectrogram and the envelope of a recording, as arrays."""

import math

import numpy as np

from trainable.speech.audio import SAMPLE_RATE

WINDOW = 1024
"""Samples, 43 ms: enough to resolve the harmonics of a low voice."""
TOP_HERTZ = 8_000.0
RANGE_DB = 70.0
"""Range below the loudest point; everything quieter is black."""


def spectrogram(wave: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """[samples] float32 at 24 kHz → [rows, columns] in [0, 1], high frequencies first.

    Level within 70 dB of the loudest point, from 0 to 8 kHz, spaced evenly in mel (O'Shaughnessy 1987).
    """
    padded = np.pad(wave.astype(np.float32), WINDOW // 2)
    starts = np.linspace(0, max(0, len(padded) - WINDOW), columns).astype(int)
    if len(padded) < WINDOW:
        padded = np.pad(padded, (0, WINDOW - len(padded)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[starts] * np.hanning(WINDOW)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1)))
    mels = np.linspace(_mel(TOP_HERTZ), 0, rows + 1)
    bins = np.round(_hertz(mels) * WINDOW / SAMPLE_RATE).astype(int)
    bands = np.stack(
        [power[:, low : max(high, low + 1)].mean(axis=1) for high, low in zip(bins, bins[1:], strict=False)]
    )
    level = 10 * np.log10(np.maximum(bands, 1e-12))
    return np.clip((level - level.max()) / RANGE_DB + 1, 0, 1) if power.any() else np.zeros((rows, columns))


def envelope(wave: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """[samples] → the lowest and the highest sample of each column, [columns] each."""
    if not len(wave):
        return np.zeros(columns), np.zeros(columns)
    edges = np.linspace(0, len(wave), columns + 1).astype(int)[:-1]
    edges = np.minimum(edges, len(wave) - 1)
    return np.minimum.reduceat(wave, edges), np.maximum.reduceat(wave, edges)


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def _hertz(mel: np.ndarray) -> np.ndarray:
    return 700 * (10 ** (mel / 2595) - 1)
