"""Voice activity detection with Silero, whose weights are part of its package."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

RATE = 16_000
"""Hz; the detector's input rate."""
WINDOW = 512
"""Samples per prediction at 16 kHz: 32 ms."""
MIN_SPEECH_MS = 100
"""Silero's default of 250 ms would drop an "Oh!", which is a usable clip."""


class TimeSpan(NamedTuple):
    """A stretch of a recording, in seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


class SpeechDetector:
    """Detects speech in one recording block by block, so that memory does not grow with its length."""

    def __init__(self) -> None:
        with _one_thread():
            from silero_vad import load_silero_vad

            self._model = load_silero_vad()
        self.reset()

    def reset(self) -> None:
        """Starts a new recording."""
        self._model.reset_states()
        self._rest = np.zeros(0, dtype=np.float32)
        self._probabilities: list[float] = []
        self._samples = 0

    def feed(self, block: np.ndarray) -> None:
        """Takes the next block, [samples] float32 at 16 kHz, mono."""
        self._samples += block.size
        pending = np.concatenate([self._rest, block])
        whole = pending.size - pending.size % WINDOW
        self._predict(pending[:whole])
        self._rest = pending[whole:]

    def finish(self) -> list[TimeSpan]:
        """Ends the recording and returns its speech in order, with pauses of at least 0.1 s in between."""
        from silero_vad import get_speech_timestamps_from_probs

        if self._rest.size:
            self._predict(np.pad(self._rest, (0, WINDOW - self._rest.size)))
            self._rest = self._rest[:0]
        found = get_speech_timestamps_from_probs(
            self._probabilities, min_speech_duration_ms=MIN_SPEECH_MS, audio_length_samples=self._samples
        )
        return [TimeSpan(float(each["start"]) / RATE, float(each["end"]) / RATE) for each in found]

    def detect(self, wave: np.ndarray) -> list[TimeSpan]:
        """The speech of a whole recording, [samples] float32 at 16 kHz, mono."""
        self.reset()
        self.feed(wave)
        return self.finish()

    def _predict(self, samples: np.ndarray) -> None:
        import torch

        with torch.inference_mode(), _one_thread():
            for window in torch.from_numpy(samples.reshape(-1, WINDOW)):
                self._probabilities.append(self._model(window, RATE).item())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limits torch to one thread: with a model this small, two threads on a busy machine are twenty times slower.

    Importing Silero sets one thread for the whole process; the old number is restored, since recognisers need it.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
