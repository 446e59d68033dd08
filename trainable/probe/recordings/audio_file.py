"""Reads audio files of any length, rate and number of channels for the probe."""

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
from trainable.speech.activity import MAX_SECONDS
from trainable.speech.audio import SAMPLE_RATE, resample

MAX_FILTER = 100_000_000
"""Largest filter between two rates, in numbers; rates without a common divisor would need gigabytes. 44,101 Hz is read
as 44,100, which is inaudible."""


@dataclass(frozen=True)
class AudioFile:
    wave: np.ndarray
    """[samples] float32 at 24 kHz, the first three minutes. A file with samples that are not finite keeps its own rate
    and has NaN in their place."""
    seconds: float
    """Length of the whole file."""

    @property
    def has_sound(self) -> bool:
        return bool(self.wave.size and np.isfinite(self.wave).all())


def check_recording(path: Path) -> None:
    """Reads the header. Raises InputError for a file that is missing or no audio."""
    if not is_file(path):
        raise InputError(f"{printable(path)}: no such audio file")
    try:
        rate = soundfile.info(path).samplerate
    except (soundfile.SoundFileError, RuntimeError, OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if not RATES[0] <= rate <= RATES[1]:
        raise InputError(f"{printable(path)}: its header says {rate} Hz; convert it to {SAMPLE_RATE} Hz")


def read_recording(path: Path) -> AudioFile:
    """Reads the first three minutes of a file of any length, rate and number of channels (averaged).

    A file without samples, or with samples that are not finite, is returned for the judge to reject. Raises InputError
    as `check_recording`, and for audio that ends within a sample.
    """
    check_recording(path)
    try:
        with soundfile.SoundFile(path) as file, np.errstate(over="ignore", invalid="ignore"):
            rate, seconds = file.samplerate, file.frames / file.samplerate
            head = file.read(int(MAX_SECONDS * rate), dtype="float32", always_2d=True).mean(axis=1)
    except (soundfile.SoundFileError, RuntimeError, OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    # Neither an empty wave nor one with infinite samples can be resampled.
    if not head.size or not np.isfinite(head).all():
        return AudioFile(np.where(np.isfinite(head), head, np.float32(np.nan)), seconds)
    return AudioFile(resample(head, _resampling_rate(rate), SAMPLE_RATE), seconds)


def _resampling_rate(rate: int) -> int:
    """The nearest rate whose filter is small enough."""
    near = (each for away in itertools.count() for each in (rate - away, rate + away))
    return next(each for each in near if _filter_size(each) <= MAX_FILTER)


def _filter_size(rate: int) -> int:
    common = math.gcd(rate, SAMPLE_RATE)
    return (rate // common) * (SAMPLE_RATE // common)


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{printable(path)}: not readable as audio ({error}); convert it to WAV or FLAC")
