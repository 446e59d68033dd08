"""Augmented copies of recordings: tempo, pitch, loudness and noise."""

import math
from fractions import Fraction

import numpy as np

from trainable.dataset.encoding_plan import Augmentation
from trainable.dataset.measure import SPEECH_RANGE_DB
from trainable.speech.audio import SAMPLE_RATE

WINDOW, HOP = 1024, 256
"""Samples of the phase vocoder's window (43 ms) and of its step."""
FINEST_RATIO = 400
"""Largest denominator of the resampling ratio; the pitch is then exact to a hundredth of a semitone."""
SPEECH_WINDOW = SAMPLE_RATE // 50


def augment(wave: np.ndarray, by: Augmentation) -> np.ndarray:
    """wave: [samples] float32 at 24 kHz → [samples / speed] float32.

    Noise is added before the gain, so that the SNR holds at any loudness; the gain is reduced where the result would
    clip. A neutral augmentation returns the same samples.
    """
    stretches = by.speed != 1 or by.semitones != 0
    if not stretches and by.snr_db is None and by.gain_db == 0:
        return wave
    out = _stretch(wave, by.speed, by.semitones) if stretches else wave
    if by.snr_db is not None:
        out = out + _noise(out, by.snr_db, by.seed)
    return _apply_gain(out, by.gain_db)


def speech_rms(wave: np.ndarray) -> float:
    """wave: [samples] at 24 kHz → root mean square of its 20 ms windows of speech; 0 for silence.

    A window is speech if it is within 30 dB of the loudest twentieth of them.
    """
    whole = len(wave) // SPEECH_WINDOW * SPEECH_WINDOW
    windows = wave[:whole].reshape(-1, SPEECH_WINDOW) if whole else wave.reshape(1, -1)
    power = np.mean(np.square(windows, dtype=np.float64), axis=1)
    loudest = np.sort(power)[-max(1, math.ceil(len(power) / 20)) :].mean()
    return float(np.sqrt(power[power >= loudest * 10 ** (-SPEECH_RANGE_DB / 10)].mean()))


def _stretch(wave: np.ndarray, speed: float, semitones: float) -> np.ndarray:
    """A phase vocoder changes the duration (Flanagan and Golden 1966), then resampling trades duration for pitch.

    The vocoder lowers the level by up to 1 dB, as neighbouring bins lose their common phase; that is compensated.
    """
    import torch
    from torchaudio.functional import phase_vocoder, resample

    ratio = Fraction(2 ** (semitones / 12)).limit_denominator(FINEST_RATIO)
    rate = speed / float(ratio)
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(torch.from_numpy(wave), WINDOW, HOP, window=window, pad_mode="constant", return_complex=True)
    advance = torch.linspace(0, math.pi * HOP, WINDOW // 2 + 1)[:, None]
    stretched = phase_vocoder(spectrum, rate, advance)
    out = torch.istft(stretched, WINDOW, HOP, window=window, length=max(1, round(len(wave) / rate)))
    if ratio != 1:
        out = resample(out, ratio.numerator, ratio.denominator)
    length = max(1, round(len(wave) / speed))
    changed = torch.nn.functional.pad(out, (0, max(0, length - len(out))))[:length].numpy()
    level = speech_rms(changed)
    return changed * np.float32(speech_rms(wave) / level) if level > 0 else changed


def _noise(wave: np.ndarray, snr_db: float, seed: int) -> np.ndarray:
    """White Gaussian noise, `snr_db` below the speech."""
    level = speech_rms(wave) * 10 ** (-snr_db / 20)
    return (np.random.default_rng(seed).standard_normal(len(wave)) * level).astype(np.float32)


def _apply_gain(wave: np.ndarray, gain_db: float) -> np.ndarray:
    factor = 10 ** (gain_db / 20)
    peak = float(np.abs(wave).max()) * factor
    if peak > 1:
        factor /= peak
    # The division may round to just above full scale.
    return np.clip(wave * np.float32(factor), -1, 1)
