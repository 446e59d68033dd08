"""Where somebody speaks: Silero's voice activity detector, whose weights lie in its package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

RATE = 16_000
"""Hz that the detector hears at."""
WINDOW = 512
"""Samples per judgement of the detector at 16 kHz: 32 ms."""
LEAST_SPEECH = 100
"""Milliseconds. Silero's own default of 250 would drop an "Oh!", which is worth a clip."""


class TimeSpan(NamedTuple):
    """A stretch of a recording, in seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


class SpeechDetector:
    """Hears one recording block by block, so that its length does not matter for memory."""

    def __init__(self) -> None:
        with _one_thread():
            from silero_vad import load_silero_vad

            self._model = load_silero_vad()
        self.begin()

    def begin(self) -> None:
        """Forgets what it has heard; the next block is the start of another recording."""
        self._model.reset_states()
        self._rest = np.zeros(0, dtype=np.float32)
        self._probabilities: list[float] = []
        self._samples = 0

    def hear(self, block: np.ndarray) -> None:
        """Goes on with [samples] float32 at 16 kHz, mono."""
        self._samples += block.size
        heard = np.concatenate([self._rest, block])
        whole = heard.size - heard.size % WINDOW
        self._judge(heard[:whole])
        self._rest = heard[whole:]

    def speech(self) -> list[TimeSpan]:
        """Ends the recording: its stretches of speech, in order, with pauses of at least 0.1 s between them."""
        from silero_vad import get_speech_timestamps_from_probs

        if self._rest.size:
            self._judge(np.pad(self._rest, (0, WINDOW - self._rest.size)))
            self._rest = self._rest[:0]
        found = get_speech_timestamps_from_probs(
            self._probabilities, min_speech_duration_ms=LEAST_SPEECH, audio_length_samples=self._samples
        )
        return [TimeSpan(float(each["start"]) / RATE, float(each["end"]) / RATE) for each in found]

    def speech_in(self, wave: np.ndarray) -> list[TimeSpan]:
        """Stretches of speech in a whole recording, [samples] float32 at 16 kHz, mono."""
        self.begin()
        self.hear(wave)
        return self.speech()

    def _judge(self, samples: np.ndarray) -> None:
        import torch

        with torch.inference_mode(), _one_thread():
            for window in torch.from_numpy(samples.reshape(-1, WINDOW)):
                self._probabilities.append(self._model(window, RATE).item())


@contextmanager
def _one_thread() -> Iterator[None]:
    """The model is so small that threads wait for each other: on a busy machine two are twenty times as slow as one.

    Silero's package sets one thread for the whole process when it is imported; a recogniser on the CPU needs them all.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
