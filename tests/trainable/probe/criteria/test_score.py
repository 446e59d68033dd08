"""The score of a line: monotone in each measure, exact in a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.records.verdict import ScoreParts
from tests.support.line_measures import line_measures
from trainable.probe.criteria.criterion import VoiceMeasures
from trainable.probe.criteria.score import score_of, score_parts

OWN = VoiceMeasures(
    values={
        "character_error": (0.0, 0.1, 0.3),
        "pitch_range_semitones": (6.0,),
        "energy_range_db": (15.0,),
        "dnsmos": (2.9, 3.0, 3.4),
    }
)
VOICE = {"similarity": 0.9, "similarity_ceiling": 0.9, "spectral_distance": 2.0, "spectral_floor": 2.0}


def score(**changes) -> float:
    voice = {name: changes.pop(name, value) for name, value in VOICE.items()}
    return score_of(score_parts(line_measures(**{"character_error": 0.1, "dnsmos": 3.0, **changes}), OWN, **voice))


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
        ({"pitch_range_semitones": 3.0}, 9.75 / 10),
        ({"pitch_range_semitones": 9.0, "energy_range_db": 30.0}, 1.0),
        ({"dnsmos": 2.25}, 9.5 / 10),
        ({"dnsmos": 4.5}, 1.0),
        (
            {"similarity": None, "spectral_distance": None}
            | dict.fromkeys(("dnsmos", "pitch_range_semitones", "energy_range_db")),
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
    heard = {"character_error": error, "similarity": similarity, "spectral_distance": distance, "dnsmos": quality}
    heard["seconds"] = seconds
    best = score(**heard)
    assert 0 <= best <= 1
    assert score(**{**heard, "character_error": error + worse}) <= best
    assert score(**{**heard, "similarity": similarity - worse}) <= best
    assert score(**{**heard, "spectral_distance": distance + worse}) <= best
    assert score(**{**heard, "dnsmos": quality - worse}) <= best
    further = seconds * (1 + worse) if seconds >= 3 else seconds / (1 + worse)
    assert score(**{**heard, "seconds": further}) <= best + 1e-12


def test_predicted_quality_never_outweighs_words_or_voice() -> None:
    perfect = ScoreParts(words=1, voice=1, tempo=1, liveliness=1, spectrum=1, quality=1)
    without = {name: score_of(perfect.model_copy(update={name: 0.0})) for name in ("words", "voice", "quality")}
    assert without["quality"] > max(without["words"], without["voice"])
