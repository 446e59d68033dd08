"""Stutter: a fragment of 0.1 to 0.5 s that comes at least three times in a row."""

import numpy as np

from trainable.probe.measures.sound_loops import log_mel_frames
from trainable.speech.activity import sanitize

MAX_STUTTER = 0.72
"""A line with a higher measure stutters, unless its text has a word twice in a row. Set on 480 clean clips of eight
espeak-ng and flite voices and 68 clips and lines of the demo voice: the highest is 0.69 where the text has no word
twice in a row. Of clips with four fragments of 0.12 to 0.2 s spoken four times each, 95 % have 0.88 or more."""

MIN_LAG, MAX_LAG = 5, 25
"""Frames of 20 ms between the starts of a fragment and its return: 0.1 to 0.5 s."""

RETURNS = 2
"""Number of returns after the fragment itself. Single returns are common in clean speech, which then measures 0.87."""

EDGE = 2
"""Frames at the end of the last return that are not compared, since the next sound already colours them."""

MIN_CONTRAST = 0.35
"""Least excess of a fragment's cosine to its return over its cosine to itself a few frames later. A held vowel has
none."""

WITHIN_SHARE = 0.75
"""Lags of up to this share of a fragment's length count as within it."""

MIN_ACTIVE = 0.8
"""Least share of active frames in the stretch, since pauses resemble each other."""


def stutter(wave: np.ndarray) -> float:
    """Mean cosine in [0, 1] between the occurrences of the best fragment in [samples] float32 at 24 kHz.

    Compares the log-mel frames of `sound_loops`: over all positions and lags from 0.1 to 0.5 s, the highest mean
    similarity of a stretch of two lags to the audio one lag earlier. `sound_loops.repeated_share` finds longer
    repetitions; fragments under 0.2 s are below its lags. The caller must check whether the text itself repeats.
    """
    frames, active = log_mel_frames(sanitize(wave))
    lags = min(MAX_LAG, (len(frames) - 1) // (RETURNS + 1))
    if lags < MIN_LAG or not active.any():
        return 0.0
    similarity = {lag: _similarity(frames, active, lag) for lag in range(EDGE, lags + 2)}
    best = 0.0
    for lag in range(MIN_LAG, lags + 1):
        length = RETURNS * lag - EDGE
        # The length of a fragment often lies between two lags.
        again = _moving_means(np.maximum(similarity[lag], similarity[lag + 1]), length)
        within = range(EDGE, int(WITHIN_SHARE * lag) + 1)
        held = np.min([_moving_means(similarity[shorter], length) for shorter in within], axis=0)
        counts = (_moving_means(active, length) > MIN_ACTIVE) & (again - held > MIN_CONTRAST)
        best = max(best, float(again[counts].max(initial=0.0)))
    return min(best, 1.0)


def _similarity(frames: np.ndarray, active: np.ndarray, lag: int) -> np.ndarray:
    """[frames]: cosine of each frame to the one `lag` earlier; 0 where either is a pause or missing."""
    cosine = np.zeros(len(frames))
    cosine[lag:] = np.where(active[lag:] & active[:-lag], np.einsum("td,td->t", frames[lag:], frames[:-lag]), 0.0)
    return cosine


def _moving_means(values: np.ndarray, length: int) -> np.ndarray:
    """The mean of every `length` neighbouring values."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return (sums[length:] - sums[:-length]) / length
