"""Loops in the sound: stretches of speech that occur again in the same clip."""

import numpy as np

from trainable.speech.activity import active_frames, sanitize
from trainable.speech.audio import SAMPLE_RATE

MAX_REPEATED_SHARE = 0.05
"""A line with a larger share of repeated speech is looped. None of 320 clean clips of twelve espeak-ng and flite voices
has any, and a rewind by one second is 0.1 in a line of 20 s; so this is less than the usual 0.15."""

WINDOW, HOP = 1024, 480
"""Samples; one frame every 20 ms, aligned with `activity`."""

BANDS = 28
MIN_HZ, MAX_HZ = 100.0, 7_500.0
"""Hz, on the mel scale."""

DYNAMIC_RANGE = 6.0
"""Bels; the level of a band is at least this far below the clip's loudest band."""

MIN_VARIATION, MIN_NORM = 0.5, 2.0
"""Least standard deviation of a band in bels, and least norm of a frame's features: smaller variation hardly counts.
Speech varies by about 1.0 bels in a band and its frames have a norm of about 10; a held vowel varies in level only."""

CONTEXT = 3
"""Frames on either side that are compared together with a frame: 140 ms, about two sounds of speech."""

MIN_LAG, MAX_LAG = 10, 1_500
"""Frames: 0.2 s, since below that every sound resembles itself, and 30 s."""

MIN_COSINE = 0.65
"""Cosine from which two frames with their context support a run; others weaken it."""

MIN_SUPPORT = 6.5
"""A run is a repetition from this sum of (cosine - 0.65) over its frames: 0.4 s of identical sound, more of similar
sound. Set, with MIN_COSINE, on 140 clips of espeak-ng and flite voices and 81 clips and lines of the demo voice: at 5
no clean clip of the former has such a run; at 6.5 only demo lines whose text has a repetition have one."""

MAX_DROP = 4.0
"""A run ends when its support falls this far below its best."""

NOVELTY_LAG = 5
"""Frames, 0.1 s."""

PAUSE_COST, LAG_COST = 0.1, 0.25
"""Cost to a run of a frame in a pause, and of a change of lag by one frame, which follows a change of pace."""

NOVELTY_RANGE = (0.1, 0.3)
"""1 - cosine to the frame 0.1 s before, from which a frame supports a run at all and in full, so that a held vowel is
no repetition."""


def repeated_share(wave: np.ndarray) -> float:
    """Share in [0, 1] of the speech of [samples] float32 at 24 kHz that occurs twice in it, both times counted.

    A local alignment of the clip with itself (Smith and Waterman 1981) over log-mel frames finds the runs. A word
    spoken twice in a row is no run, three times mostly is. The caller must check whether the text itself repeats: see
    `repeated_words.has_repetition`.
    """
    wave = sanitize(wave)
    frames, active = log_mel_frames(wave)
    if active.sum() < 2 * MIN_LAG:
        return 0.0
    novelty = np.ones(len(frames))
    change = 1 - np.einsum("td,td->t", frames[NOVELTY_LAG:], frames[:-NOVELTY_LAG])
    novelty[NOVELTY_LAG:] = np.interp(change, NOVELTY_RANGE, (0, 1))
    return float(np.mean(_repeated_frames(frames, active, novelty)[active]))


def _repeated_frames(frames: np.ndarray, active: np.ndarray, novelty: np.ndarray) -> np.ndarray:
    """[frames] bool: whether the frame is part of a run or of the stretch that a run repeats."""
    count = len(frames)
    lags = min(count, MAX_LAG + 1)
    support, best = np.zeros(lags), np.zeros(lags)
    start = np.zeros(lags, dtype=np.int64)
    edges = np.zeros(count + 1, dtype=np.int64)
    for time in range(MIN_LAG, count):
        support, best, start = _shift_lags(support, best, start)
        most = min(lags - 1, time)
        earlier = slice(time - most, time - MIN_LAG + 1)
        excess = frames[earlier] @ frames[time] - MIN_COSINE
        gain = np.where(excess > 0, excess * novelty[time], excess)
        gain[~active[earlier]] = -PAUSE_COST
        support[MIN_LAG : most + 1] += gain[::-1] if active[time] else -PAUSE_COST
        over = (support <= 0) | (support < best - MAX_DROP)
        support[over], best[over], start[over] = 0.0, 0.0, time + 1
        growing = support > best
        best[growing] = support[growing]
        for lag in np.flatnonzero(growing & (support >= MIN_SUPPORT)).tolist():
            for first, last in ((start[lag], time + 1), (start[lag] - lag, time + 1 - lag)):
                edges[max(0, first)] += 1
                edges[last] -= 1
    return np.cumsum(edges[:-1]) > 0


def _shift_lags(support: np.ndarray, best: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Continues at every lag its own run, or a neighbouring lag's where that is better despite the cost of changing."""
    place = np.arange(support.size)
    carried = support.copy()
    for step in (1, -1):
        neighbour = np.zeros_like(support)
        neighbour[max(0, step) : support.size + min(0, step)] = (
            support[max(0, -step) : support.size + min(0, -step)] - LAG_COST
        )
        better = neighbour > carried
        carried[better] = neighbour[better]
        place[better] = np.flatnonzero(better) - step
    return carried, best[place], start[place]


def log_mel_frames(wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[samples] → [frames, features] of about unit norm around the clip's mean, and [frames] bool activity."""
    count = (wave.size - WINDOW) // HOP + 1
    active = active_frames(wave)[: max(0, count)]
    if active.sum() < 2:
        return np.zeros((active.size, 1), dtype=np.float32), np.zeros(active.size, dtype=bool)
    windows = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP] * np.hanning(WINDOW).astype(np.float32)
    power = np.abs(np.fft.rfft(windows)).astype(np.float32) ** 2 @ _mel_filters()
    bands = np.log10(np.maximum(power, max(float(power[active].max()) * 10**-DYNAMIC_RANGE, 1e-30)))
    bands -= bands[active].mean(axis=0)
    bands -= 0.5 * bands.mean(axis=1, keepdims=True)
    bands /= np.maximum(bands[active].std(axis=0), MIN_VARIATION)
    padded = np.pad(bands, ((CONTEXT, CONTEXT), (0, 0)), mode="edge")
    stacked = np.concatenate([padded[first : first + count] for first in range(0, 2 * CONTEXT + 1, 2)], axis=1)
    return stacked / np.sqrt(np.square(stacked).sum(axis=1, keepdims=True) + MIN_NORM**2), active


def _mel_filters() -> np.ndarray:
    """[bins, bands] float32: triangles, equally wide on the mel scale (O'Shaughnessy 1987)."""
    low, high = 2595 * np.log10(1 + np.array([MIN_HZ, MAX_HZ]) / 700)
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hertz = np.arange(WINDOW // 2 + 1)[:, None] * SAMPLE_RATE / WINDOW
    rising = (hertz - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - hertz) / np.diff(edges)[1:]
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)
