"""What a checkpoint hears in a window of speech, and the second hearing where a Whisper hears few words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from trainable.speech.asr.windows import SpeechWindow
from trainable.speech.tempo import default_seconds, letters
from trainable.speech.text.hallucinations import is_repetitive

FEW_WORDS = 0.5
"""A transcript that commonly takes less than this share of the speech to read is heard again, with timestamps. Without
them Whisper tiny.en ends a prompt of 25 s after its first sentence, 7 of 59 words; with them it hears all 59."""
MIN_LOG_PROBABILITY = -1.0
"""A second hearing below is discarded, as by Whisper's own decoder (Radford et al., 2022). What tiny.en makes up for
music and reversed speech lies below -1.2, true second hearings above -0.4."""


@dataclass(frozen=True)
class Transcription:
    """The transcript of one wave."""

    text: str
    log_probability: float | None = None
    """Natural logarithm, mean over the tokens including the end token; None where the model gives none."""
    tokens: int = 0
    """The tokens that `log_probability` is a mean of."""
    cut_off: bool = False
    """Whether decoding reached the model's maximum length before an end token."""
    language: str | None = None
    """Code of the detected or given language; None for a model that does not tell."""


class SpeechModel(Protocol):
    """An opened checkpoint."""

    batch: int
    """Waves that are best transcribed together."""

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[Transcription]:
        """[samples] float32 at 16 kHz each, 30 s at most → the transcript of each; fastest when sorted by length."""
        ...


@runtime_checkable
class TimestampModel(Protocol):
    """A model that can also decode with timestamps: a Whisper."""

    def transcribe_with_timestamps(self, wave: np.ndarray, language: str | None) -> Transcription:
        """[samples] float32 at 16 kHz, 30 s at most, in a language given by its code → its text without timestamps."""
        ...


def transcribe_windows(model: SpeechModel, windows: Sequence[SpeechWindow]) -> list[Transcription]:
    """The transcript of each window, in order.

    A batch of similar lengths needs little padding, and a batch too large for memory fails at once: the longest windows
    come first. Where a Whisper's words are few for the seconds of speech, the same window is decoded with timestamps.
    That transcript counts if it has more letters, is likely enough and does not only repeat itself.
    """
    order = sorted(range(len(windows)), key=lambda place: -windows[place].wave.size)
    heard = dict(zip(order, model.transcribe([windows[place].wave for place in order]), strict=True))
    first = [heard[place] for place in range(len(windows))]
    if not isinstance(model, TimestampModel):
        return first
    return [_fullest(model, window, said) for window, said in zip(windows, first, strict=True)]


def _fullest(model: TimestampModel, window: SpeechWindow, first: Transcription) -> Transcription:
    seconds = default_seconds(first.text)
    if seconds is None or seconds >= FEW_WORDS * window.speech_seconds:
        return first
    second = model.transcribe_with_timestamps(window.wave, first.language)
    likely = second.log_probability is None or second.log_probability >= MIN_LOG_PROBABILITY
    fuller = letters(second.text) > letters(first.text)
    return second if likely and fuller and not is_repetitive(second.text) else first
