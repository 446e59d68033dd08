"""Scores one line in [0, 1], to rank accepted trials."""

import math
from statistics import median

from spaces.records.verdict import ScoreParts
from trainable.probe.criteria.criterion import LineMeasures, VoiceMeasures

SPECTRAL_SPAN = 10.0
"""dB over which the spectrum's part falls from 1 to 0. Two speakers are commonly 4–8 dB apart."""

QUALITY_SPAN = 1.5
"""Points of DNSMOS over which its part falls from 1 to 0. Noise at 0 dB lowered synthetic voices by about as much."""

WEIGHTS = {"words": 3, "voice": 3, "tempo": 1, "liveliness": 1, "spectrum": 1, "quality": 1}
"""Listeners notice words and voice first. Predicted quality must never outweigh them: it once rated gibberish in the
right voice (3.07) above clean speech (2.87)."""


def score_parts(
    line: LineMeasures,
    own: VoiceMeasures,
    *,
    similarity: float | None,
    similarity_ceiling: float,
    spectral_distance: float | None,
    spectral_floor: float,
) -> ScoreParts:
    """The score parts of a line that is not silent, relative to the voice's own clips; see `ScoreParts`.

    No part rises when its measure gets worse.
    """
    error = line.values.get("character_error")
    return ScoreParts(
        words=None if error is None else _clamp(1 - max(0.0, error - typical_character_error(own))),
        voice=None if similarity is None else _clamp(similarity / max(similarity_ceiling, 1e-6)),
        tempo=_clamp(1 - abs(math.log2(line.seconds / line.expected_seconds))),
        liveliness=_liveliness(line, own),
        spectrum=None
        if spectral_distance is None
        else _clamp(1 - (spectral_distance - spectral_floor) / SPECTRAL_SPAN),
        quality=_quality(line, own),
    )


def score_of(parts: ScoreParts | None) -> float:
    """The weighted mean of the known parts; 0 without any."""
    if parts is None:
        return 0.0
    known = {name: value for name, value in parts.model_dump().items() if value is not None}
    return sum(WEIGHTS[name] * value for name, value in known.items()) / sum(WEIGHTS[name] for name in known)


def typical_character_error(own: VoiceMeasures) -> float:
    """The median character error of the voice's own clips; 0 without a recogniser."""
    errors = own.of("character_error")
    return median(errors) if errors else 0.0


def _liveliness(line: LineMeasures, own: VoiceMeasures) -> float | None:
    pairs = [(line.values.get(name), own.of(name)) for name in ("pitch_range_semitones", "energy_range_db")]
    parts = [min(1.0, span / max(median(spans), 1e-6)) for span, spans in pairs if span is not None and spans]
    return sum(parts) / len(parts) if parts else None


def _quality(line: LineMeasures, own: VoiceMeasures) -> float | None:
    quality, qualities = line.values.get("dnsmos"), own.of("dnsmos")
    if quality is None or not qualities:
        return None
    return _clamp(1 - (median(qualities) - quality) / QUALITY_SPAN)


def _clamp(value: float) -> float:
    return min(1.0, max(0.0, value))
