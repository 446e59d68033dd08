"""Changed copies of recordings: tempo, pitch, loudness and noise."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from trainable.dataset.encoding_plan import Change
from trainable.speech.audio import SAMPLE_RATE

WINDOW, HOP = 1024, 256
"""Samples of the phase vocoder's window, 43 ms, and of its step."""
FINEST_RATIO = 400
"""Largest denominator of the resampling ratio, which is then right to a hundredth of a semitone."""
SPEECH_WINDOW = SAMPLE_RATE // 50
SPEECH_RANGE_DB = 30.0
"""A window is speech if it is within this of the loudest twentieth of them, as measures of recordings have it."""


def changed(wave: np.ndarray, change: Change) -> np.ndarray:
    """wave: [samples] float32 at 24 kHz → [samples / speed] float32.

    Noise comes before the gain, so that the SNR holds at any loudness; the gain is reduced where the result would clip.
    A change that is neutral throughout gives the very same samples.
    """
    other_shape = change.speed != 1 or change.semitones != 0
    if not other_shape and change.snr_db is None and change.gain_db == 0:
        return wave
    out = _stretched(wave, change.speed, change.semitones) if other_shape else wave
    if change.snr_db is not None:
        out = out + _noise(out, change.snr_db, change.seed)
    return _louder(out, change.gain_db)


def speech_rms(wave: np.ndarray) -> float:
    """wave: [samples] at 24 kHz → root mean square of its 20 ms windows that hold speech; 0 for silence."""
    whole = len(wave) // SPEECH_WINDOW * SPEECH_WINDOW
    windows = wave[:whole].reshape(-1, SPEECH_WINDOW) if whole else wave.reshape(1, -1)
    power = np.mean(np.square(windows, dtype=np.float64), axis=1)
    loudest = np.sort(power)[-max(1, math.ceil(len(power) / 20)) :].mean()
    return float(np.sqrt(power[power >= loudest * 10 ** (-SPEECH_RANGE_DB / 10)].mean()))


def _stretched(wave: np.ndarray, speed: float, semitones: float) -> np.ndarray:
    """A phase vocoder changes the duration (Flanagan and Golden 1966), then resampling trades duration for pitch.

    What the vocoder takes of the level, up to 1 dB as neighbouring bins lose their common phase, is given back.
    """
    import torch
    from torchaudio.functional import phase_vocoder, resample

    ratio = Fraction(2 ** (semitones / 12)).limit_denominator(FINEST_RATIO)
    rate = speed / float(ratio)
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(torch.from_numpy(wave), WINDOW, HOP, window=window, pad_mode="constant", return_complex=True)
    advance = torch.linspace(0, math.pi * HOP, WINDOW // 2 + 1)[:, None]
    slower = phase_vocoder(spectrum, rate, advance)
    out = torch.istft(slower, WINDOW, HOP, window=window, length=max(1, round(len(wave) / rate)))
    if ratio != 1:
        out = resample(out, ratio.numerator, ratio.denominator)
    length = max(1, round(len(wave) / speed))
    out = torch.nn.functional.pad(out, (0, max(0, length - len(out))))[:length].numpy()
    level = speech_rms(out)
    return out * np.float32(speech_rms(wave) / level) if level > 0 else out


def _noise(wave: np.ndarray, snr_db: float, seed: int) -> np.ndarray:
    """White and Gaussian, so far below the speech."""
    level = speech_rms(wave) * 10 ** (-snr_db / 20)
    return (np.random.default_rng(seed).standard_normal(len(wave)) * level).astype(np.float32)


def _louder(wave: np.ndarray, gain_db: float) -> np.ndarray:
    factor = 10 ** (gain_db / 20)
    peak = float(np.abs(wave).max()) * factor
    if peak > 1:
        factor /= peak
    # The division may round to just above full scale.
    return np.clip(wave * np.float32(factor), -1, 1)
