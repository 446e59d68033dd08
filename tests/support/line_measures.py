"""Measures of a healthy line, some of them changed, for tests of what is made of measures."""

import numpy as np

from trainable.probe.criteria.criteria_table import CRITERIA
from trainable.probe.criteria.criterion import LineMeasures, SpokenClip

LONG = "a sentence that is long enough to have a tempo"
HEALTHY = {
    # A measure that is not named here has a value too, with nothing of the voice to compare it with.
    **{each.name: 0.0 for each in CRITERIA if each.measure and not each.on_words and not each.on_pace},
    "ended": 1.0,
    "speech_share": 0.8,
    "clipped_share": 0.0,
    "flatness_db": -30.0,
    "repeated_share": 0.0,
    "stutter": 0.0,
    "inner_pause_seconds": 0.3,
    "tail_seconds": 0.1,
    "pitch_range_semitones": 6.0,
    "energy_range_db": 15.0,
}


def line_measures(
    text: str = LONG,
    heard: str | None = None,
    seconds: float = 3.0,
    expected_seconds: float = 3.0,
    **changes: float | None,
) -> LineMeasures:
    """Measures of words and length follow from the arguments, others are healthy but for `changes`, by criterion."""
    clip = SpokenClip(np.zeros(0, np.float32), text, expected_seconds, heard, whole_seconds=seconds)
    measured = [each for each in CRITERIA if each.on_pace or (each.on_words and heard is not None)]
    values = {each.name: each.measure(clip) for each in measured if each.measure}
    return LineMeasures(text, heard, seconds, expected_seconds, {**HEALTHY, **values, **changes})
