"""Explained thresholds agree with the flags."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.line_measures import line_measures
from trainable.probe.criteria.criteria_table import Flag
from trainable.probe.criteria.criterion import VoiceMeasures
from trainable.probe.criteria.explain import JudgingContext, explain
from trainable.probe.criteria.measure import flags_of
from trainable.probe.measures.similarity import SpeakerSimilarity

LINES = st.sampled_from(["oh", "one two one two one two three four", "a sentence that is long enough to have a tempo"])
NUMBERS = st.floats(0, 2)


@given(
    text=LINES,
    heard=st.none() | LINES,
    numbers=st.lists(NUMBERS, min_size=12, max_size=12),
    flatness=st.floats(-40, -20),
    own=st.sampled_from(
        [
            (VoiceMeasures(), 0),
            (
                VoiceMeasures(
                    values={
                        "character_error": (0.1, 0.3),
                        "flatness_db": (-31, -30),
                        "inner_pause_seconds": (1.7,),
                        "pitch_range_semitones": (3.0, 4.0),
                        "tempo": (0.9, 1.1) * 10,
                    }
                ),
                20,
            ),
        ]
    ),
)
def test_a_measure_beyond_its_threshold_raises_its_flag(
    text: str, heard: str | None, numbers: list[float], flatness: float, own: tuple[VoiceMeasures, int]
) -> None:
    line = line_measures(
        text,
        heard,
        3 * numbers[0],
        1 + numbers[1],
        speech_share=numbers[2] / 2,
        clipped_share=numbers[3] / 1000,
        character_error=numbers[4] if heard is not None else None,
        flatness_db=flatness,
        repeated_share=numbers[5] / 20,
        inner_pause_seconds=numbers[6],
        tail_seconds=numbers[7],
        pitch_range_semitones=2 * numbers[8],
        energy_range_db=numbers[9],
        stutter=numbers[11],
    )
    similarity = SpeakerSimilarity(similarity=0.9, threshold=numbers[10], origin="given")
    flags = {*flags_of(line, own[0]), *([Flag.VOICE_DRIFT] if similarity.has_drifted else [])}
    explained = explain(line, JudgingContext("given", *own, similarity))
    beyond = {each.flag for each in explained.values() if each.is_beyond}
    assert flags == beyond
