"""Splits audio into windows that a recogniser can take whole."""

from collections.abc import Sequence

import numpy as np

from trainable.speech.asr.whisper import RATE, WINDOW_SECONDS
from trainable.speech.recording_stream import SpeechScan, rms_levels
from trainable.speech.segmenting import ClipLengths, cut
from trainable.speech.vad import TimeSpan

WINDOW_LENGTHS = ClipLengths(2.0, WINDOW_SECONDS - 1)
"""Lengths that a recording of more than 30 s is cut into. A word at the edge of a window would be lost."""


def split_windows(wave: np.ndarray, speech: Sequence[TimeSpan]) -> tuple[np.ndarray, ...]:
    """[samples] float32 at 16 kHz → the same audio up to 30 s, else windows cut in its pauses.

    Empty when `speech` is.
    """
    seconds = wave.size / RATE
    if seconds <= WINDOW_SECONDS:
        return (wave,) if speech else ()
    scan = SpeechScan(speech, seconds, rms_levels(wave))
    spans = cut(speech, TimeSpan(0.0, seconds), WINDOW_LENGTHS, scan.quietest)
    return tuple(wave[round(each.start * RATE) : round(each.end * RATE)] for each in spans)
