"""From measures to flags, and from flags to a verdict, as tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.verdict import Flag, SpokenLine
from tests.voices import murmur
from trainable.probe.flags import flags_of
from trainable.probe.judge import allowed_failures, conclude
from trainable.probe.likeness import HeardVoice
from trainable.probe.measures import Measured, OwnMeasures, measure
from trainable.probe.pauses import Pauses
from trainable.probe.score import line_score

LONG = "a sentence that is long enough to have a tempo"
HEALTHY = {
    "heard": None,
    "eos": True,
    "seconds": 3.0,
    "expected_seconds": 3.0,
    "text": LONG,
    "rms_dbfs": -20.0,
    "speech_share": 0.8,
    "clipped_share": 0.0,
    "character_error": 0.1,
    "flatness": -30.0,
    "repeated_share": 0.0,
    "pauses": Pauses(lead=0.1, longest_inner=0.3, tail=0.1),
    "pitch_range": 6.0,
    "energy_range": 15.0,
}
OWN = OwnMeasures(
    character_errors=(0.1,) * 8,
    flatness=(-31.0, -30.0, -29.0, -30.0),
    inner_pauses=(0.2, 0.5, 1.8),
    pitch_ranges=(5.0, 6.0, 7.0),
    energy_ranges=(14.0, 15.0, 16.0),
)
SAME = HeardVoice(similarity=0.9, least=0.8, strange=0)


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, ()),
        ({"eos": False}, (Flag.NO_EOS,)),
        ({"rms_dbfs": -46.0}, (Flag.SILENT,)),
        ({"rms_dbfs": float("nan")}, (Flag.SILENT,)),
        ({"speech_share": 0.2}, (Flag.SILENT,)),
        ({"clipped_share": 0.002}, (Flag.CLIPPED,)),
        ({"seconds": 1.6}, (Flag.TEMPO,)),
        ({"seconds": 5.5}, (Flag.TEMPO,)),
        ({"seconds": 1.7}, ()),
        ({"text": "oh", "expected_seconds": 0.4, "seconds": 2.9}, ()),
        ({"text": "oh", "expected_seconds": 0.4, "seconds": 3.1}, (Flag.TEMPO,)),
        ({"character_error": 0.36}, (Flag.GARBLED,)),
        ({"character_error": 0.34}, ()),
        ({"flatness": -24.0}, (Flag.NOISY,)),
        ({"flatness": -27.5}, ()),
        ({"repeated_share": 0.1}, (Flag.LOOPED,)),
        ({"repeated_share": 0.1, "text": "seven seven one two and some more words here"}, ()),
        ({"heard": LONG + " to have a tempo"}, (Flag.LOOPED,)),
        ({"pauses": Pauses(lead=0.1, longest_inner=1.7, tail=0.1)}, ()),
        ({"pauses": Pauses(lead=0.1, longest_inner=1.9, tail=0.1)}, (Flag.TEMPO,)),
        ({"pauses": Pauses(lead=0.1, longest_inner=0.3, tail=1.6)}, (Flag.TEMPO,)),
        ({"pitch_range": 1.0, "energy_range": 3.0}, (Flag.FLAT,)),
        ({"pitch_range": 1.0}, (Flag.FLAT,)),
        ({"energy_range": 1.0}, ()),
        ({"pitch_range": None, "energy_range": None}, ()),
        ({"character_error": None}, ()),
        ({"character_error": 1.0, "text": "one two"}, ()),
        ({"eos": False, "clipped_share": 1.0}, (Flag.NO_EOS, Flag.CLIPPED)),
    ],
)
def test_flags(changes: dict, flags: tuple[Flag, ...]) -> None:
    assert flags_of(Measured(**{"text": LONG, **HEALTHY, **changes}), OWN) == flags


@pytest.mark.parametrize(("error", "garbled"), [(0.45, False), (0.55, True)])
def test_a_voice_that_is_hard_to_understand_is_allowed_more(error: float, garbled: bool) -> None:
    line = Measured(**{"text": LONG, **HEALTHY, "character_error": error})
    own = OWN.model_copy(update={"character_errors": (0.3,) * 8})
    assert (Flag.GARBLED in flags_of(line, own)) is garbled


def test_without_clips_of_its_own_a_voice_is_neither_noisy_nor_flat() -> None:
    line = Measured(**{"text": LONG, **HEALTHY, "flatness": -1.0, "pitch_range": 0.0, "energy_range": 0.0})
    assert flags_of(line, OwnMeasures()) == ()


def line(*flags: Flag, ratio: float = 1.0, error: float | None = 0.0, text: str = LONG) -> SpokenLine:
    return SpokenLine(
        text=text,
        heard=text if error is not None else None,
        audio="probe/line.wav",
        flags=flags,
        eos=Flag.NO_EOS not in flags,
        frames=37,
        frame_cap=100,
        seconds=3.0 * ratio,
        expected_seconds=3.0,
        rms_dbfs=-20.0,
        speech_share=0.8,
        clipped_share=0.0,
        character_error=error,
        flatness=-30.0,
        repeated_share=0.0,
        longest_pause=0.3,
        tail=0.1,
        pitch_range=6.0,
        energy_range=15.0,
        similarity=0.9,
        spectral_distance=2.0,
        score=0.5,
    )


BAD = line(Flag.GARBLED)


@pytest.mark.parametrize(
    ("lines", "planned", "accepted"),
    [
        ([line()] * 20, 20, True),
        ([BAD] + [line()] * 19, 20, True),
        ([BAD, BAD], 20, False),
        ([line()] * 4 + [BAD] * 2 + [line()] * 14, 20, True),
        ([line()] * 4 + [BAD] * 3 + [line()] * 13, 20, False),
        ([BAD] + [line()] * 7, 8, True),
        ([line()] * 4 + [BAD] * 2 + [line()] * 2, 8, False),
    ],
)
def test_two_of_the_first_four_reject_or_three_of_twenty(lines, planned: int, accepted: bool) -> None:
    verdict = conclude(lines, planned, SAME)
    assert verdict.accepted is accepted
    assert bool(verdict.reasons) is not accepted
    assert verdict.failed_lines == sum(one is BAD for one in lines)


@pytest.mark.parametrize(("ratio", "reason"), [(1.0, None), (0.86, None), (1.17, None), (0.8, "rushed"), (1.3, "slow")])
def test_the_median_tempo_rejects(ratio: float, reason: str | None) -> None:
    verdict = conclude([line(ratio=ratio)] * 4, 20, SAME)
    assert verdict.accepted is (reason is None)
    assert reason is None or reason in verdict.reasons[0]


def test_short_lines_have_no_tempo() -> None:
    assert conclude([line(ratio=0.5, text="oh")] * 4, 4, SAME).accepted


def test_words_nobody_heard_are_unknown_and_not_a_pass() -> None:
    assert conclude([line(error=None)] * 4, 4, SAME).unknown == (Flag.GARBLED,)
    assert conclude([line()] * 4, 4, SAME).unknown == ()


def test_a_flat_line_does_not_fail() -> None:
    verdict = conclude([line(Flag.FLAT)] * 4, 4, SAME)
    assert verdict.accepted and verdict.failed_lines == 0 and verdict.flags == {Flag.FLAT: 4}


@pytest.mark.parametrize(
    ("voice", "accepted", "unknown"),
    [
        (HeardVoice(0.81, 0.8, 1), True, ()),
        (HeardVoice(0.79, 0.8, 2), False, ()),
        (HeardVoice(None, 0.8, 0), True, (Flag.VOICE_DRIFT,)),
        (HeardVoice(0.9, None, 0), True, (Flag.VOICE_DRIFT,)),
    ],
)
def test_another_voice_rejects_and_one_too_short_to_tell_is_unknown(voice, accepted: bool, unknown: tuple) -> None:
    verdict = conclude([line()] * 4, 4, voice)
    assert (verdict.accepted, verdict.unknown) == (accepted, unknown)
    assert verdict.flags.get(Flag.VOICE_DRIFT, 0) == voice.strange
    assert accepted or "another voice" in verdict.reasons[0]


def test_a_verdict_needs_a_line() -> None:
    with pytest.raises(ValueError, match="at least one"):
        conclude([], 4, SAME)


@pytest.mark.parametrize(("planned", "allowed"), [(4, 1), (8, 1), (13, 1), (14, 2), (20, 2), (40, 5)])
def test_allowed_failures(planned: int, allowed: int) -> None:
    assert allowed_failures(planned) == allowed


KNOWN = {
    "eos": True,
    "silent": False,
    "seconds": 3.0,
    "expected_seconds": 3.0,
    "similarity_ceiling": 0.9,
    "spectral_floor": 2.0,
    "liveliness": None,
}
shares = st.floats(0, 1)


@given(shares, shares, shares, st.floats(0, 20))
def test_the_score_is_monotone_in_each_part(error: float, worse: float, similarity: float, distance: float) -> None:
    def score(**changes: float) -> float:
        heard = {"character_error": min(error, worse), "similarity": similarity, "spectral_distance": distance}
        return line_score(**KNOWN, **{**heard, **changes})

    assert 0 <= score(character_error=max(error, worse)) <= score() <= 1
    assert score() <= score(similarity=min(1.0, similarity + 0.1)) <= 1
    assert score(spectral_distance=distance + 1) <= score()


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({}, 1.0),
        ({"seconds": 6.0}, 3 / 4),
        ({"seconds": 1.5}, 3 / 4),
        ({"eos": False}, 0.0),
        ({"silent": True}, 0.0),
        ({"seconds": 0.0}, 0.0),
        ({"character_error": 1.7}, 3 / 4),
        ({"character_error": None, "similarity": None, "spectral_distance": None}, 1.0),
        ({"similarity": -0.5}, 3 / 4),
        ({"spectral_distance": 7.0}, 7 / 8),
        ({"spectral_distance": 12.5}, 3 / 4),
        ({"liveliness": 0.5}, 9 / 10),
    ],
)
def test_scores(changes: dict, score: float) -> None:
    assert line_score(
        **{**KNOWN, "character_error": 0.0, "similarity": 0.95, "spectral_distance": 1.0, **changes}
    ) == pytest.approx(score)


@pytest.mark.parametrize("sample", [float("nan"), float("inf")])
def test_samples_that_are_no_numbers_count_as_silence(sample: float) -> None:
    wave = murmur(3.0)
    wave[1000] = sample
    measured = measure(wave, LONG, None, eos=True, expected_seconds=3.0)
    assert Flag.SILENT in flags_of(measured, OwnMeasures())
    assert flags_of(measure(murmur(3.0), LONG, None, eos=True, expected_seconds=3.0), OwnMeasures()) == ()
