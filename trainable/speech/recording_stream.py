"""Reads a recording of any length in blocks, so that an hour takes no more memory than a minute."""

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
"""Whole seconds, so that every block holds whole samples at any rate. Resampling is inexact for 1 ms at each end."""
LEVEL_SECONDS = 0.01
"""Seconds per stored level; 1.4 MB an hour."""
QUIET_SECONDS = 0.05
"""Seconds over which quiet is judged: longer than a pitch period of any voice, shorter than a gap between words."""
EDGE_SECONDS = 0.05
"""Extra audio on both sides that is resampled and cut off again, so that the ends are not filtered against silence."""


@dataclass(frozen=True)
class RecordingStream:
    """An audio file. Every method raises InputError when the file cannot be read."""

    path: Path

    def seconds(self) -> float:
        """The length that the header gives."""
        with self._open() as file:
            return file.frames / file.samplerate

    def blocks(self) -> Iterator[np.ndarray]:
        """[samples] float32 at 16 kHz, mono; 32 s each, the last one shorter."""
        with self._open() as file:
            rate = file.samplerate
            for block in file.blocks(BLOCK_SECONDS * rate, dtype="float32", always_2d=True):
                yield resample(self._mono(block), rate, RATE)

    def wave(self, span: TimeSpan) -> np.ndarray:
        """[samples] float32 at 24 kHz, mono, of one span. Adjacent spans share no sample and miss none."""
        with self._open() as file:
            rate = file.samplerate
            first, last = round(span.start * SAMPLE_RATE), round(span.end * SAMPLE_RATE)
            edge = round(EDGE_SECONDS * SAMPLE_RATE)
            # Start on a whole second, where samples of both rates coincide.
            begin = max(first - edge, 0) // SAMPLE_RATE
            file.seek(begin * rate)
            frames = math.ceil((last + edge) / SAMPLE_RATE * rate) - begin * rate
            wave = resample(self._mono(file.read(frames, dtype="float32", always_2d=True)), rate, SAMPLE_RATE)
        return wave[first - begin * SAMPLE_RATE : last - begin * SAMPLE_RATE]

    def _mono(self, block: np.ndarray) -> np.ndarray:
        mono = block.mean(axis=1)
        if not np.isfinite(mono).all():
            raise InputError(f"{self.path}: holds samples that are not finite numbers; convert it to 16-bit WAV")
        return mono

    @contextmanager
    def _open(self) -> Iterator[soundfile.SoundFile]:
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such recording")
        try:
            with soundfile.SoundFile(self.path) as file:
                yield file
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            raise InputError(f"{self.path}: not readable as audio ({error}); convert it to WAV or FLAC") from None


@dataclass(frozen=True)
class SpeechScan:
    """The result of one pass through a recording: its speech, and its level every 10 ms."""

    speech: list[TimeSpan]
    seconds: float
    """The length that could be read, which may differ from the header's."""
    levels: np.ndarray = field(repr=False)
    """[hundredths of a second] float32, root mean square."""

    def quietest(self, earliest: float, latest: float) -> float:
        """The middle of the quietest 50 ms between two times, in seconds."""
        width = round(QUIET_SECONDS / LEVEL_SECONDS)
        first, last = math.ceil(earliest / LEVEL_SECONDS), math.floor(latest / LEVEL_SECONDS)
        levels = self.levels[first:last]
        if levels.size < width:
            return (earliest + latest) / 2
        energies = np.convolve(np.square(levels, dtype=np.float64), np.ones(width), mode="valid")
        return (first + int(energies.argmin()) + width / 2) * LEVEL_SECONDS


def rms_levels(wave: np.ndarray) -> np.ndarray:
    """[samples] at 16 kHz → [hundredths of a second] float32, root mean square."""
    width = round(LEVEL_SECONDS * RATE)
    whole = wave[: wave.size - wave.size % width].reshape(-1, width)
    return np.sqrt(np.square(whole).mean(axis=1))


def scan_speech(recording: RecordingStream, on_progress: Callable[[int, int], None]) -> SpeechScan:
    """Detects speech in a whole recording. `on_progress(done, total)` receives whole seconds.

    Raises InputError when the recording cannot be read or is empty.
    """
    detector = SpeechDetector()
    expected = round(recording.seconds())
    samples = 0
    levels = []
    for block in recording.blocks():
        detector.feed(block)
        samples += block.size
        levels.append(rms_levels(block))
        on_progress(min(round(samples / RATE), expected), expected)
    if not samples:
        raise InputError(f"{recording.path}: empty, it holds 0 samples")
    return SpeechScan(detector.finish(), samples / RATE, np.concatenate(levels))
