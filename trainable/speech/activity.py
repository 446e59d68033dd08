"""Energy-based voice activity: frames well above the clip's own background that are not one steady sound."""

import numpy as np

from trainable.speech.audio import SAMPLE_RATE

FRAME_SAMPLES = SAMPLE_RATE // 50
"""20 ms."""

FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE

MAX_SECONDS = 180.0
"""Later audio is not measured. A generation is stopped long before: the library's own limit is 164 s."""

LOUD_SHARE, LOUD_FRAMES = 0.05, 25
"""The level of a clip is the level that 5 % of its frames exceed, or 25 frames (0.5 s) in a long clip. Pauses, clicks
and minutes of silence after the last word do not change it."""

BELOW_LOUD = 25.0
"""dB below the loud frames; quieter frames are pauses: tails of words and background."""

ABOVE_FLOOR = 6.0
"""dB above the background, for a background that is less than `BELOW_LOUD` below the speech."""

MIN_BELOW_LOUD = 10.0
"""dB; frames nearer to the loud ones are always active, since a clip without pauses has no background to measure."""

STEADY_SECONDS, MAX_STEADY_SPREAD = 1.0, 2.4
"""Seconds and dB; a stretch of this length whose levels spread less (90th minus 10th percentile) is noise, hum or a
tone. White noise spreads by 0.7 dB. In 480 clips of eight espeak-ng and flite voices no second of speech spreads by
less than 2.49 dB, and in all but one clip by 3.4 dB or more."""

SILENT_DB = -80.0
"""dBFS; a clip whose loud frames are below is silent."""


def sanitize(wave: np.ndarray) -> np.ndarray:
    """The first three minutes of [samples] as float32, clipped to ±100; NaN and infinity become 0."""
    head = np.asarray(wave, dtype=np.float32).reshape(-1)[: int(MAX_SECONDS * SAMPLE_RATE)]
    return np.clip(np.nan_to_num(head, nan=0.0, posinf=0.0, neginf=0.0), -100.0, 100.0)


def frame_levels(wave: np.ndarray) -> np.ndarray:
    """[samples] float32 at 24 kHz → [frames of 20 ms] float64: dBFS, at least -120. An incomplete frame is dropped."""
    frames = wave[: wave.size // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return 10 * np.log10(np.maximum(np.mean(np.square(frames, dtype=np.float64), axis=1), 1e-12))


def loud_level(levels: np.ndarray) -> float:
    """The level of the loud frames, from [frames] dB with at least one frame."""
    over = max(1, min(LOUD_FRAMES, round(LOUD_SHARE * levels.size)))
    return float(np.partition(levels, levels.size - over)[levels.size - over])


def active_frames(wave: np.ndarray) -> np.ndarray:
    """[samples] float32 at 24 kHz → [frames of 20 ms] bool: whether the frame holds speech, judged by energy alone."""
    levels = frame_levels(wave)
    if not levels.size:
        return np.zeros(0, dtype=bool)
    if loud_level(levels) < SILENT_DB:
        return np.zeros(levels.size, dtype=bool)
    steady = _steady_frames(levels)
    changing = levels[~steady]
    if not changing.size:
        return np.zeros(levels.size, dtype=bool)
    loud = loud_level(changing)
    floor = float(np.percentile(levels, 5))
    threshold = max(loud - BELOW_LOUD, min(floor + ABOVE_FLOOR, loud - MIN_BELOW_LOUD))
    return (levels > threshold) & ~steady


def _steady_frames(levels: np.ndarray) -> np.ndarray:
    """[frames] bool: whether the frame lies in a second of steady level."""
    length = round(STEADY_SECONDS / FRAME_SECONDS)
    steady = np.zeros(levels.size, dtype=bool)
    if levels.size < length:
        return steady
    windows = np.lib.stride_tricks.sliding_window_view(levels, length)
    low, high = np.percentile(windows, (10, 90), axis=1)
    edges = np.zeros(levels.size + 1, dtype=np.int64)
    starts = np.flatnonzero(high - low < MAX_STEADY_SPREAD)
    np.add.at(edges, starts, 1)
    np.add.at(edges, starts + length, -1)
    return np.cumsum(edges[:-1]) > 0
