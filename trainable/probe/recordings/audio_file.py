"""Audio files of any length, rate and number of channels, as the probe hears them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from spaces.errors import InputError
from trainable.dataset.formatting import printable
from trainable.dataset.measure import RATES
from trainable.dataset.user_files import is_file
from trainable.speech.activity import LONGEST_SECONDS
from trainable.speech.audio import SAMPLE_RATE, resample

MOST_FILTER = 100_000_000
"""Numbers in a filter between two rates; those without a common measure need gigabytes. 44,101 Hz is read as if it were
44,100, which nobody hears."""


@dataclass(frozen=True)
class AudioFile:
    wave: np.ndarray
    """[samples] float32 at 24 kHz, the first three minutes; of a file with numbers that are not finite at its own
    rate, with nan in their place."""
    seconds: float
    """Of the whole file."""

    @property
    def has_sound(self) -> bool:
        return bool(self.wave.size and np.isfinite(self.wave).all())


def check_recording(path: Path) -> None:
    """Looks at the header. Raises InputError for what is missing or no audio."""
    if not is_file(path):
        raise InputError(f"{printable(path)}: no such audio file")
    try:
        rate = soundfile.info(path).samplerate
    except (soundfile.SoundFileError, RuntimeError, OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if not RATES[0] <= rate <= RATES[1]:
        raise InputError(f"{printable(path)}: its header says {rate} Hz; convert it to {SAMPLE_RATE} Hz")


def read_recording(path: Path) -> AudioFile:
    """The first three minutes of a file of any length, rate and number of channels (averaged).

    A file without samples, or with numbers that are not finite, is read: there is nothing to hear in it, which is for
    the judge to say. Raises InputError as `check_recording`, and for audio that ends within a sample.
    """
    check_recording(path)
    try:
        with soundfile.SoundFile(path) as file, np.errstate(over="ignore", invalid="ignore"):
            rate, seconds = file.samplerate, file.frames / file.samplerate
            head = file.read(int(LONGEST_SECONDS * rate), dtype="float32", always_2d=True).mean(axis=1)
    except (soundfile.SoundFileError, RuntimeError, OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    # Nothing can be resampled of nothing, and what is infinite has no level that could be compared.
    if not head.size or not np.isfinite(head).all():
        return AudioFile(np.where(np.isfinite(head), head, np.float32(np.nan)), seconds)
    return AudioFile(resample(head, _near(rate), SAMPLE_RATE), seconds)


def _near(rate: int) -> int:
    """The nearest rate whose filter is not too large."""
    near = (each for away in itertools.count() for each in (rate - away, rate + away))
    return next(each for each in near if _filter(each) <= MOST_FILTER)


def _filter(rate: int) -> int:
    common = math.gcd(rate, SAMPLE_RATE)
    return (rate // common) * (SAMPLE_RATE // common)


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{printable(path)}: not readable as audio ({error}); convert it to WAV or FLAC")
