"""Cuts speech into windows that a recogniser hears whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainable.speech.asr.whisper import RATE, WINDOW_SECONDS
from trainable.speech.recording_stream import SpeechScan, levels_of
from trainable.speech.segmenting import ClipLengths, cut
from trainable.speech.vad import TimeSpan

PIECES = ClipLengths(2.0, WINDOW_SECONDS - 1)
"""What a recording of more than 30 s is cut into. A word on the edge of the window would be lost."""


def pieces(wave: np.ndarray, speech: Sequence[TimeSpan]) -> tuple[np.ndarray, ...]:
    """What a recogniser is to hear of [samples] float32 at 16 kHz: all of up to 30 s, else pieces cut in its pauses.

    Empty where nobody speaks.
    """
    seconds = wave.size / RATE
    if seconds <= WINDOW_SECONDS:
        return (wave,) if speech else ()
    spans = cut(speech, TimeSpan(0.0, seconds), PIECES, SpeechScan(speech, seconds, levels_of(wave)).quiet)
    return tuple(wave[round(each.start * RATE) : round(each.end * RATE)] for each in spans)
