"""The score of a line: monotone in each measure, exact in a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.records.verdict import ScoreParts
from trainable.probe.criteria.score import score_of, score_parts
from trainable.probe.measures.line import LineMeasures, VoiceMeasures
from trainable.probe.measures.pauses import Pauses

OWN = VoiceMeasures(
    character_errors=(0.0, 0.1, 0.3), pitch_ranges=(6.0,), energy_ranges=(15.0,), qualities=(2.9, 3.0, 3.4)
)
GOOD = {
    "text": "a sentence",
    "heard": None,
    "eos": True,
    "seconds": 3.0,
    "expected_seconds": 3.0,
    "speech_share": 0.8,
    "clipped_share": 0.0,
    "character_error": 0.1,
    "flatness": -30.0,
    "repeated_share": 0.0,
    "pauses": Pauses(longest_inner=0.3, tail=0.1),
    "pitch_range": 6.0,
    "energy_range": 15.0,
    "quality": 3.0,
}
VOICE = {"similarity": 0.9, "similarity_ceiling": 0.9, "spectral_distance": 2.0, "spectral_floor": 2.0}


def score(**changes) -> float:
    voice = {name: changes.pop(name, value) for name, value in VOICE.items()}
    return score_of(score_parts(LineMeasures(**{**GOOD, **changes}), OWN, **voice))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 1.0),
        ({"seconds": 6.0}, 9 / 10),
        ({"seconds": 1.5}, 9 / 10),
        ({"character_error": 0.05}, 1.0),
        ({"character_error": 0.6}, 8.5 / 10),
        ({"character_error": 1.7}, 7 / 10),
        ({"similarity": 0.45}, 8.5 / 10),
        ({"similarity": -0.5}, 7 / 10),
        ({"similarity": 0.95}, 1.0),
        ({"spectral_distance": 7.0}, 9.5 / 10),
        ({"spectral_distance": 12.5}, 9 / 10),
        ({"pitch_range": 3.0}, 9.75 / 10),
        ({"pitch_range": 9.0, "energy_range": 30.0}, 1.0),
        ({"quality": 2.25}, 9.5 / 10),
        ({"quality": 4.5}, 1.0),
        (
            {"quality": None, "similarity": None, "spectral_distance": None, "pitch_range": None, "energy_range": None},
            1,
        ),
        ({"character_error": None, "similarity": 0.0}, 4 / 7),
    ],
)
def test_scores(changes: dict, expected: float) -> None:
    assert score(**changes) == pytest.approx(expected)


def test_without_parts_the_score_is_0() -> None:
    assert score_of(None) == 0.0


@given(st.floats(0, 2), st.floats(0, 1), st.floats(0.2, 20), st.floats(0, 20), st.floats(1, 5), st.floats(0, 1))
def test_no_part_rises_when_its_measure_gets_worse(error, similarity, seconds, distance, quality, worse) -> None:
    heard = {"character_error": error, "similarity": similarity, "spectral_distance": distance, "quality": quality}
    heard["seconds"] = seconds
    best = score(**heard)
    assert 0 <= best <= 1
    assert score(**{**heard, "character_error": error + worse}) <= best
    assert score(**{**heard, "similarity": similarity - worse}) <= best
    assert score(**{**heard, "spectral_distance": distance + worse}) <= best
    assert score(**{**heard, "quality": quality - worse}) <= best
    further = seconds * (1 + worse) if seconds >= 3 else seconds / (1 + worse)
    assert score(**{**heard, "seconds": further}) <= best + 1e-12


def test_predicted_quality_never_outweighs_words_or_voice() -> None:
    perfect = ScoreParts(words=1, voice=1, tempo=1, liveliness=1, spectrum=1, quality=1)
    without = {name: score_of(perfect.model_copy(update={name: 0.0})) for name in ("words", "voice", "quality")}
    assert without["quality"] > max(without["words"], without["voice"])
