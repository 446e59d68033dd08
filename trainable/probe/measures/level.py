"""Share of speech and clipping of a waveform, by its level."""

import numpy as np

from trainable.speech.audio import SAMPLE_RATE

WINDOW = SAMPLE_RATE // 50
"""Samples: 20 ms."""

MIN_DBFS = -45.0
"""A window with a lower level is silent."""

MIN_SPEECH_SHARE = 0.25
"""A clip with a smaller share of windows above `MIN_DBFS` is silent."""

CLIPPED_LEVEL = 0.985
"""Share of full scale from which a sample is clipped."""

MAX_CLIPPED_SHARE = 0.001
"""A clip with a larger share of clipped samples is clipped."""


def speech_share(wave: np.ndarray) -> float:
    """Share of 20 ms windows of [samples] float32 above `MIN_DBFS`, in [0, 1].

    0 for a wave shorter than one window, or with samples that are not finite.
    """
    windows = wave[: wave.size // WINDOW * WINDOW].reshape(-1, WINDOW)
    if not len(windows) or not np.isfinite(wave).all():
        return 0.0
    power = np.mean(np.square(windows, dtype=np.float64), axis=1)
    return float(np.mean(power > 10 ** (MIN_DBFS / 10)))


def clipped_share(wave: np.ndarray) -> float:
    """Share of samples at or above `CLIPPED_LEVEL`, in [0, 1]."""
    return float(np.mean(np.abs(wave) >= CLIPPED_LEVEL)) if wave.size else 0.0
