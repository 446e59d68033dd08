"""One recording of any length, read in blocks: an hour takes no more memory than a minute."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from spaces.errors import InputError
from trainable.speech.audio import SAMPLE_RATE, resample
from trainable.speech.vad import RATE, SpeechDetector, TimeSpan

BLOCK_SECONDS = 32
"""Whole seconds, so that every block is whole samples at any rate; resampling errs for 1 ms at each end of one."""
LEVEL_SECONDS = 0.01
"""Seconds per level that is kept, 1.4 MB an hour."""
HUSH_SECONDS = 0.05
"""Seconds over which quiet is judged: longer than a period of any voice, shorter than the gap between two words."""
EDGE_SECONDS = 0.05
"""Read on both sides of what is resampled and cut off again, so that its ends are not filtered against silence."""


@dataclass(frozen=True)
class RecordingStream:
    """A file that soundfile reads. Every method raises InputError where it does not."""

    path: Path

    def seconds(self) -> float:
        """As its header says."""
        with self._opened() as file:
            return file.frames / file.samplerate

    def blocks(self) -> Iterator[np.ndarray]:
        """[samples] float32 at 16 kHz, mono; 32 s each, the last one shorter."""
        with self._opened() as file:
            rate = file.samplerate
            for block in file.blocks(BLOCK_SECONDS * rate, dtype="float32", always_2d=True):
                yield resample(self._mono(block), rate, RATE)

    def wave(self, span: TimeSpan) -> np.ndarray:
        """[samples] float32 at 24 kHz, mono, of a stretch. Stretches that meet share no sample and miss none."""
        with self._opened() as file:
            rate = file.samplerate
            first, last = round(span.start * SAMPLE_RATE), round(span.end * SAMPLE_RATE)
            edge = round(EDGE_SECONDS * SAMPLE_RATE)
            # The block begins on a whole second, where samples of both rates meet.
            begin = max(first - edge, 0) // SAMPLE_RATE
            file.seek(begin * rate)
            wanted = math.ceil((last + edge) / SAMPLE_RATE * rate) - begin * rate
            wave = resample(self._mono(file.read(wanted, dtype="float32", always_2d=True)), rate, SAMPLE_RATE)
        return wave[first - begin * SAMPLE_RATE : last - begin * SAMPLE_RATE]

    def _mono(self, block: np.ndarray) -> np.ndarray:
        mono = block.mean(axis=1)
        if not np.isfinite(mono).all():
            raise InputError(f"{self.path}: holds samples that are not finite numbers; convert it to 16-bit WAV")
        return mono

    @contextmanager
    def _opened(self) -> Iterator[soundfile.SoundFile]:
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such recording")
        try:
            with soundfile.SoundFile(self.path) as file:
                yield file
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            raise InputError(f"{self.path}: not readable as audio ({error}); convert it to WAV or FLAC") from None


@dataclass(frozen=True)
class SpeechScan:
    """What listening through a recording once leaves: where speech is, and how loud every hundredth of a second was."""

    speech: list[TimeSpan]
    seconds: float
    """As many as could be read, whatever the header says."""
    levels: np.ndarray = field(repr=False)
    """[hundredths] float32, root mean square."""

    def quiet(self, earliest: float, latest: float) -> float:
        """The middle of the quietest twentieth of a second between two times."""
        width = round(HUSH_SECONDS / LEVEL_SECONDS)
        first, last = math.ceil(earliest / LEVEL_SECONDS), math.floor(latest / LEVEL_SECONDS)
        levels = self.levels[first:last]
        if levels.size < width:
            return (earliest + latest) / 2
        hushes = np.convolve(np.square(levels, dtype=np.float64), np.ones(width), mode="valid")
        return (first + int(hushes.argmin()) + width / 2) * LEVEL_SECONDS


def levels_of(wave: np.ndarray) -> np.ndarray:
    """[samples] at 16 kHz → [hundredths] float32, the root mean square of every hundredth of a second."""
    width = round(LEVEL_SECONDS * RATE)
    whole = wave[: wave.size - wave.size % width].reshape(-1, width)
    return np.sqrt(np.square(whole).mean(axis=1))


def listen(recording: RecordingStream, on_progress: Callable[[int, int], None]) -> SpeechScan:
    """Listens through a recording once. `on_progress(done, of)` is told seconds, rounded.

    Raises InputError where it cannot be read, or holds nothing.
    """
    detector = SpeechDetector()
    expected = round(recording.seconds())
    samples = 0
    levels = []
    for block in recording.blocks():
        detector.hear(block)
        samples += block.size
        levels.append(levels_of(block))
        on_progress(min(round(samples / RATE), expected), expected)
    if not samples:
        raise InputError(f"{recording.path}: empty, it holds 0 samples")
    return SpeechScan(detector.speech(), samples / RATE, np.concatenate(levels))
