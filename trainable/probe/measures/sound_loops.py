"""Speech that repeats itself: the same sounds once more in the same order."""

from __future__ import annotations

import numpy as np

from trainable.speech.activity import active_frames, sound
from trainable.speech.audio import SAMPLE_RATE

LOOPED = 0.05
"""Share of repeated speech above which a line is looped. None of 320 clean clips of twelve espeak-ng and flite voices
has any share at all, and a rewind by one second is 0.1 in a line of 20 s; so this is less than the usual 0.15."""

WINDOW, HOP = 1024, 480
"""Samples; one frame every 20 ms, in step with `activity`."""

BANDS = 28
LOWEST, HIGHEST = 100.0, 7_500.0
"""Hz, on the mel scale."""

DYNAMICS = 6.0
"""Bels; a band further below the clip's loudest one counts as this far below."""

LEAST_VARIATION, FAINT = 0.5, 2.0
"""Bels, and the length of a frame's features: what varies less than this hardly counts. Speech varies by some 1.0 bels
in a band and its frames are some 10 long; a held vowel that swells and fades varies by little else."""

CONTEXT = 3
"""Frames either side that a frame is compared together with: 140 ms, about two sounds of speech."""

SHORTEST_LAG, LONGEST_LAG = 10, 1_500
"""Frames: 0.2 s, below which every sound resembles itself, and 30 s."""

ALIKE = 0.65
"""Cosine from which two frames with their context support a run; other frames break it up."""

LEAST_SUPPORT = 6.5
"""A run is a repetition from this sum of (cosine - 0.65) over its frames: 0.4 s of the very same sound, more of a
similar one. Set, with ALIKE, on 140 clips of espeak-ng and flite voices and 81 clips and lines of the demo voice: at 5
no clean clip of the former has such a run; at 6.5 only demo lines do that `repetitions.repeats_itself` is true of."""

DROP = 4.0
"""A run ends where its support has fallen so far below its best."""

NOVEL_LAG = 5
"""Frames, 0.1 s."""

PAUSE_COST, LAG_COST = 0.1, 0.25
"""What a run pays for a frame in a pause, and for a change of lag by one frame, which follows a change of pace."""

NOVEL = (0.1, 0.3)
"""1 - cosine to the frame 0.1 s before, from which a frame supports a run at all and in full: a held vowel repeats
nothing."""


def repeated_share(wave: np.ndarray) -> float:
    """Share of the active speech of [samples] float32 at 24 kHz that occurs again elsewhere in it, both times counted.

    In [0, 1]. A local alignment of the clip with itself (Smith and Waterman 1981) over log-mel frames finds the runs;
    a word said twice in a row is no run, three times mostly is. A text that repeats itself is for the caller to
    recognise: see `repetitions.repeats_itself`.
    """
    wave = sound(wave)
    frames, active = sound_frames(wave)
    if active.sum() < 2 * SHORTEST_LAG:
        return 0.0
    novelty = np.ones(len(frames))
    change = 1 - np.einsum("td,td->t", frames[NOVEL_LAG:], frames[:-NOVEL_LAG])
    novelty[NOVEL_LAG:] = np.interp(change, NOVEL, (0, 1))
    return float(np.mean(_repeated(frames, active, novelty)[active]))


def _repeated(frames: np.ndarray, active: np.ndarray, novelty: np.ndarray) -> np.ndarray:
    """[frames] bool: whether the frame is part of a run or of what a run repeats."""
    count = len(frames)
    lags = min(count, LONGEST_LAG + 1)
    support, best = np.zeros(lags), np.zeros(lags)
    start = np.zeros(lags, dtype=np.int64)
    edges = np.zeros(count + 1, dtype=np.int64)
    for time in range(SHORTEST_LAG, count):
        support, best, start = _paced(support, best, start)
        most = min(lags - 1, time)
        earlier = slice(time - most, time - SHORTEST_LAG + 1)
        alike = frames[earlier] @ frames[time] - ALIKE
        gain = np.where(alike > 0, alike * novelty[time], alike)
        gain[~active[earlier]] = -PAUSE_COST
        support[SHORTEST_LAG : most + 1] += gain[::-1] if active[time] else -PAUSE_COST
        over = (support <= 0) | (support < best - DROP)
        support[over], best[over], start[over] = 0.0, 0.0, time + 1
        growing = support > best
        best[growing] = support[growing]
        for lag in np.flatnonzero(growing & (support >= LEAST_SUPPORT)).tolist():
            for first, last in ((start[lag], time + 1), (start[lag] - lag, time + 1 - lag)):
                edges[max(0, first)] += 1
                edges[last] -= 1
    return np.cumsum(edges[:-1]) > 0


def _paced(support: np.ndarray, best: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every lag carries on its own run, or that of a neighbouring lag where that is better by the cost of changing."""
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


def sound_frames(wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[samples] → [frames, features] of about unit length around the clip's mean sound, and [frames] bool activity."""
    count = (wave.size - WINDOW) // HOP + 1
    active = active_frames(wave)[: max(0, count)]
    if active.sum() < 2:
        return np.zeros((active.size, 1), dtype=np.float32), np.zeros(active.size, dtype=bool)
    windows = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP] * np.hanning(WINDOW).astype(np.float32)
    power = np.abs(np.fft.rfft(windows)).astype(np.float32) ** 2 @ _mel_filters()
    bands = np.log10(np.maximum(power, max(float(power[active].max()) * 10**-DYNAMICS, 1e-30)))
    bands -= bands[active].mean(axis=0)
    bands -= 0.5 * bands.mean(axis=1, keepdims=True)
    bands /= np.maximum(bands[active].std(axis=0), LEAST_VARIATION)
    padded = np.pad(bands, ((CONTEXT, CONTEXT), (0, 0)), mode="edge")
    stacked = np.concatenate([padded[first : first + count] for first in range(0, 2 * CONTEXT + 1, 2)], axis=1)
    return stacked / np.sqrt(np.square(stacked).sum(axis=1, keepdims=True) + FAINT**2), active


def _mel_filters() -> np.ndarray:
    """[bins, bands] float32: triangles, equally wide on the mel scale (O'Shaughnessy 1987)."""
    low, high = 2595 * np.log10(1 + np.array([LOWEST, HIGHEST]) / 700)
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hertz = np.arange(WINDOW // 2 + 1)[:, None] * SAMPLE_RATE / WINDOW
    rising = (hertz - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - hertz) / np.diff(edges)[1:]
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)
