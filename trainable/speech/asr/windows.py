"""Splits audio into windows that a recogniser can take whole."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainable.speech.recording_stream import SpeechScan, rms_levels
from trainable.speech.segmenting import ClipLengths, cut
from trainable.speech.vad import RATE, TimeSpan

WINDOW_SECONDS = 30.0
"""The input length of every Whisper; shorter waves are padded with silence."""
WINDOW_LENGTHS = ClipLengths(2.0, WINDOW_SECONDS - 1)
"""Lengths that a recording of more than 30 s is cut into. A word at the edge of a window would be lost."""


@dataclass(frozen=True)
class SpeechWindow:
    """A part of a recording, 30 s at most."""

    wave: np.ndarray
    """[samples] float32 at 16 kHz."""
    speech_seconds: float
    """Seconds in which speech was detected."""


def split_windows(wave: np.ndarray, speech: Sequence[TimeSpan]) -> tuple[SpeechWindow, ...]:
    """[samples] float32 at 16 kHz → the same audio up to 30 s, else windows cut in its pauses.

    Empty when `speech` is.
    """
    seconds = wave.size / RATE
    if seconds <= WINDOW_SECONDS:
        return (SpeechWindow(wave, sum(each.seconds for each in speech)),) if speech else ()
    scan = SpeechScan(speech, seconds, rms_levels(wave))
    spans = cut(speech, TimeSpan(0.0, seconds), WINDOW_LENGTHS, scan.quietest)
    return tuple(
        SpeechWindow(wave[round(each.start * RATE) : round(each.end * RATE)], _speech_within(speech, each))
        for each in spans
    )


def _speech_within(speech: Sequence[TimeSpan], span: TimeSpan) -> float:
    return sum(max(0.0, min(each.end, span.end) - max(each.start, span.start)) for each in speech)
