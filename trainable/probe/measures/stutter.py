"""Speech that stumbles: a fragment of a sound or two that comes at least three times in a row."""

from __future__ import annotations

import numpy as np

from trainable.probe.measures.sound_loops import sound_frames
from trainable.speech.activity import sound

STUTTERED = 0.72
"""The measure above which a line stutters, where its text says nothing twice. Set on 480 clean clips of eight
espeak-ng and flite voices and 68 clips and lines of the demo voice: the highest is 0.69 where the text says no word
twice in a row. Of clips with four fragments of 0.12 to 0.2 s said four times each, 95 % have 0.88 or more."""

SHORTEST, LONGEST = 5, 25
"""Frames of 20 ms from one fragment to the next: 0.1 to 0.5 s."""

RETURNS = 2
"""A fragment comes once and returns so many times. Syllables of common words return once: clean speech has 0.87."""

EDGE = 2
"""Frames of the last return that need not be alike: there it already sounds of what follows."""

CHANGING = 0.35
"""A fragment resembles its own next time by so much more (of cosine) than itself a few frames on; a held
vowel does not."""

WITHIN = 0.75
"""Lags of up to this share of a fragment's length are within it."""

LEAST_ACTIVE = 0.8
"""Share of the stretch's frames in which somebody speaks: pauses resemble each other."""


def stutter(wave: np.ndarray) -> float:
    """How alike the three times of the best fragment are in [samples] float32 at 24 kHz, a mean cosine in [0, 1].

    Over log-mel frames as `loops` compares them: of all places and lags from 0.1 to 0.5 s, the highest mean similarity
    of a stretch of two lags to what came one lag earlier. `loops.repeated_share` tells longer repetitions: fragments
    under 0.2 s are below its lags. A text that repeats itself is for the caller to recognise.
    """
    frames, active = sound_frames(sound(wave))
    lags = min(LONGEST, (len(frames) - 1) // (RETURNS + 1))
    if lags < SHORTEST or not active.any():
        return 0.0
    alike = {lag: _similarity(frames, active, lag) for lag in range(EDGE, lags + 2)}
    best = 0.0
    for lag in range(SHORTEST, lags + 1):
        length = RETURNS * lag - EDGE
        # A fragment's length lies between two lags as often as on one.
        again = _means(np.maximum(alike[lag], alike[lag + 1]), length)
        held = np.min([_means(alike[less], length) for less in range(EDGE, int(WITHIN * lag) + 1)], axis=0)
        counts = (_means(active, length) > LEAST_ACTIVE) & (again - held > CHANGING)
        best = max(best, float(again[counts].max(initial=0.0)))
    return min(best, 1.0)


def _similarity(frames: np.ndarray, active: np.ndarray, lag: int) -> np.ndarray:
    """[frames]: cosine of each frame to the one `lag` earlier; 0 where either is a pause, or there is none."""
    alike = np.zeros(len(frames))
    alike[lag:] = np.where(active[lag:] & active[:-lag], np.einsum("td,td->t", frames[lag:], frames[:-lag]), 0.0)
    return alike


def _means(values: np.ndarray, length: int) -> np.ndarray:
    """Of every stretch of so many neighbours."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return (sums[length:] - sums[:-length]) / length
