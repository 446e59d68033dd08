"""Pauses of a clip: the longest one between its words, and the silence after the last word."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainable.speech.activity import FRAME_SECONDS, active_frames, sanitize

MAX_TAIL = 1.5
"""Seconds without speech after the last word; a longer tail means that the end was missed. On synthetic corruptions
this found every trailing silence and every trailing noise, without a false alarm on 30 clean clips."""

MAX_INNER_PAUSE = 1.5
"""Seconds without speech between two words; a longer pause of the voice's own clips raises the limit."""

MIN_BURST_SECONDS = 0.06
"""Shorter bursts are clicks, not speech."""


@dataclass(frozen=True)
class Pauses:
    """In seconds; a clip without speech is all tail."""

    longest_inner: float
    """Between two words."""
    tail: float
    """After the last word."""


def measure_pauses(wave: np.ndarray) -> Pauses:
    """The pauses of [samples] float32 at 24 kHz, to 20 ms. See `activity.active_frames` for what counts as speech."""
    active = _without_clicks(active_frames(sanitize(wave)))
    speech = np.flatnonzero(active)
    if not speech.size:
        return Pauses(longest_inner=0.0, tail=active.size * FRAME_SECONDS)
    return Pauses(
        longest_inner=float((np.diff(speech).max(initial=1) - 1) * FRAME_SECONDS),
        tail=float((active.size - 1 - speech[-1]) * FRAME_SECONDS),
    )


def inner_pause_threshold(own: Sequence[float]) -> float:
    """Seconds above which an inner pause is too long, given the longest one of each of the voice's own clips."""
    return max([MAX_INNER_PAUSE, *own])


def _without_clicks(active: np.ndarray) -> np.ndarray:
    """The same frames without bursts that are too short to be speech."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    kept = active.copy()
    for start, end in edges.reshape(-1, 2):
        if (end - start) * FRAME_SECONDS < MIN_BURST_SECONDS:
            kept[start:end] = False
    return kept
