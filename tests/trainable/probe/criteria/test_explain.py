"""Explained thresholds agree with the flags."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spaces.records.verdict import Flag
from trainable.probe.criteria.explain import JudgingContext, explain
from trainable.probe.criteria.flags import flags_of
from trainable.probe.measures.line import LineMeasures, VoiceMeasures
from trainable.probe.measures.pauses import Pauses
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
                    character_errors=(0.1, 0.3),
                    flatness=(-31, -30),
                    inner_pauses=(1.7,),
                    pitch_ranges=(3.0, 4.0),
                    tempos=(0.9, 1.1) * 10,
                ),
                20,
            ),
        ]
    ),
)
def test_a_measure_beyond_its_threshold_raises_its_flag(
    text: str, heard: str | None, numbers: list[float], flatness: float, own: tuple[VoiceMeasures, int]
) -> None:
    line = LineMeasures(
        text=text,
        heard=heard,
        eos=True,
        seconds=3 * numbers[0],
        expected_seconds=1 + numbers[1],
        speech_share=numbers[2] / 2,
        clipped_share=numbers[3] / 1000,
        character_error=numbers[4] if heard is not None else None,
        flatness=flatness,
        repeated_share=numbers[5] / 20,
        pauses=Pauses(longest_inner=numbers[6], tail=numbers[7]),
        pitch_range=2 * numbers[8],
        energy_range=numbers[9],
        stutter=numbers[11],
    )
    similarity = SpeakerSimilarity(similarity=0.9, threshold=numbers[10], origin="given")
    flags = {*flags_of(line, own[0]), *([Flag.VOICE_DRIFT] if similarity.has_drifted else [])}
    explained = explain(line, JudgingContext("given", *own, similarity))
    beyond = {each.flag for each in explained.values() if each.is_beyond}
    if Flag.SILENT in flags:
        # Noise and pauses are not judged without speech.
        unjudged = {Flag.NOISY, Flag.TEMPO}
        flags, beyond = flags - unjudged, beyond - unjudged
    assert flags == beyond
