"""How good one line is: a number in [0, 1] by which trials that were accepted compare."""

from __future__ import annotations

import math
from statistics import median

from trainable.probe.measures import Measured, OwnMeasures

SPECTRAL_SPAN = 10.0
"""dB over which the spectrum's part of a score goes from 1 to 0. Two speakers commonly lie 4–8 dB apart."""


def line_score(
    *,
    eos: bool,
    silent: bool,
    seconds: float,
    expected_seconds: float,
    character_error: float | None,
    similarity: float | None,
    similarity_ceiling: float,
    spectral_distance: float | None,
    spectral_floor: float,
    liveliness: float | None,
) -> float:
    """The mean of what is known of words, voice, spectrum, tempo and liveliness, each in [0, 1]; 0 without an end or
    without sound.

    Words: 1 - character error. Voice: cosine over the ground truth's own. Spectrum: 1 at the ground truth's own
    distance, 0 at 10 dB more. Tempo: 1 at the expected length, 0 at half or double. Liveliness: see `liveliness_of`.
    """
    if not eos or silent or seconds <= 0:
        return 0.0
    parts = [max(0.0, 1 - abs(math.log2(seconds / expected_seconds)))]
    if character_error is not None:
        parts.append(max(0.0, 1 - character_error))
    if similarity is not None:
        parts.append(min(1.0, max(0.0, similarity / max(similarity_ceiling, 1e-6))))
    if spectral_distance is not None:
        parts.append(min(1.0, max(0.0, 1 - (spectral_distance - spectral_floor) / SPECTRAL_SPAN)))
    if liveliness is not None:
        parts.append(liveliness)
    return sum(parts) / len(parts)


def liveliness_of(line: Measured, own: OwnMeasures) -> float | None:
    """Ranges of pitch and of energy over the medians of the voice's own clips, each at most 1, their mean; None where
    neither can be told."""
    pairs = ((line.pitch_range, own.pitch_ranges), (line.energy_range, own.energy_ranges))
    parts = [min(1.0, span / max(median(usual), 1e-6)) for span, usual in pairs if span is not None and usual]
    return sum(parts) / len(parts) if parts else None
