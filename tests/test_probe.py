"""The probe's measures and its judgement, as tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import InputError
from spaces.verdict import Flag, SpokenLine
from tests.voices import tone
from trainable.audio import SAMPLE_RATE
from trainable.probe.judge import allowed_failures, conclude, flags_of, line_score
from trainable.probe.lines import load_lines
from trainable.probe.signal import clipped_share, rms_dbfs, speech_share
from trainable.probe.spectrum import average_spectrum, spectral_distance
from trainable.probe.tempo import Tempo, fit_tempo, letters
from trainable.probe.words import character_error, words

LONG = "a sentence that is long enough to have a tempo"
HEALTHY = {
    "eos": True,
    "seconds": 3.0,
    "expected_seconds": 3.0,
    "text": LONG,
    "rms_dbfs": -20.0,
    "speech_share": 0.8,
    "clipped_share": 0.0,
    "character_error": 0.1,
    "ground_truth_p95": 0.1,
}


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
        ({"character_error": 0.45, "ground_truth_p95": 0.3}, ()),
        ({"character_error": 0.55, "ground_truth_p95": 0.3}, (Flag.GARBLED,)),
        ({"character_error": None}, ()),
        ({"character_error": 1.0, "text": "one two"}, ()),
        ({"eos": False, "clipped_share": 1.0}, (Flag.NO_EOS, Flag.CLIPPED)),
    ],
)
def test_flags(changes: dict, flags: tuple[Flag, ...]) -> None:
    assert flags_of(**{**HEALTHY, **changes}) == flags


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
    verdict = conclude(lines, planned)
    assert verdict.accepted is accepted
    assert bool(verdict.reasons) is not accepted
    assert verdict.failed_lines == sum(one is BAD for one in lines)


@pytest.mark.parametrize(("ratio", "reason"), [(1.0, None), (0.86, None), (1.17, None), (0.8, "rushed"), (1.3, "slow")])
def test_the_median_tempo_rejects(ratio: float, reason: str | None) -> None:
    verdict = conclude([line(ratio=ratio)] * 4, 20)
    assert verdict.accepted is (reason is None)
    assert reason is None or reason in verdict.reasons[0]


def test_short_lines_have_no_tempo() -> None:
    assert conclude([line(ratio=0.5, text="oh")] * 4, 4).accepted


def test_words_nobody_heard_are_unknown_and_not_a_pass() -> None:
    assert conclude([line(error=None)] * 4, 4).unknown == (Flag.GARBLED,)
    assert conclude([line()] * 4, 4).unknown == ()


def test_a_verdict_needs_a_line() -> None:
    with pytest.raises(ValueError, match="at least one"):
        conclude([], 4)


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
    ],
)
def test_scores(changes: dict, score: float) -> None:
    assert line_score(
        **{**KNOWN, "character_error": 0.0, "similarity": 0.95, "spectral_distance": 1.0, **changes}
    ) == pytest.approx(score)


def test_levels() -> None:
    assert rms_dbfs(np.zeros(100, dtype=np.float32)) == -120
    assert rms_dbfs(np.ones(100, dtype=np.float32)) == pytest.approx(0)
    assert rms_dbfs(np.zeros(0, dtype=np.float32)) == -120
    half = np.concatenate([tone(1.0), np.zeros(SAMPLE_RATE, dtype=np.float32)])
    assert speech_share(half) == pytest.approx(0.5)
    assert speech_share(np.zeros(10, dtype=np.float32)) == 0
    assert clipped_share(np.array([0.2, -1.0, 0.99, 0.98], dtype=np.float32)) == 0.5
    assert clipped_share(np.zeros(0, dtype=np.float32)) == 0


def test_a_spectrum_knows_its_voice_at_any_loudness() -> None:
    low, high = average_spectrum(tone(1.0, 200)), average_spectrum(tone(1.0, 2000))
    assert spectral_distance(low, average_spectrum(0.01 * tone(2.0, 200))) < 0.5
    assert spectral_distance(low, high) > 5
    for nothing in (0, 100, SAMPLE_RATE):
        assert not average_spectrum(np.zeros(nothing, dtype=np.float32)).any()


@given(st.floats(0, 2), st.floats(0.01, 0.2), st.lists(st.integers(1, 200), min_size=3, max_size=30, unique=True))
def test_a_tempo_is_found_again(pause: float, rate: float, counts: list[int]) -> None:
    tempo = fit_tempo(["a" * count for count in counts], [pause + rate * count for count in counts])
    assert tempo.expected_seconds("b" * 50) == pytest.approx(pause + rate * 50, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("texts", "seconds", "expected"),
    [(["aaaa", "aaaa"], [1.0, 3.0], 2.0), (["a", "aa"], [2.0, 1.0], 4.0), (["a" * 10, "a" * 20], [0.5, 2.0], 0.36)],
)
def test_odd_tempos_stay_positive(texts: list[str], seconds: list[float], expected: float) -> None:
    tempo = fit_tempo(texts, seconds)
    assert tempo.pause >= 0 and tempo.per_letter > 0
    assert tempo.expected_seconds("aaaa") == pytest.approx(expected)


def test_a_tempo_needs_letters() -> None:
    with pytest.raises(ValueError, match="letters"):
        fit_tempo(["...", "!"], [1.0, 2.0])


def test_a_runaway_costs_seconds() -> None:
    tempo = Tempo(pause=0.2, per_letter=0.07)
    assert tempo.frame_cap("Oh!") == 75
    assert tempo.frame_cap("a" * 100) == round(12.5 * (3 * 7.2 + 2))


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("One,  TWO!", "one two"),
        ("It\u2019s Zoë's", "it's zoë's"),
        ("snake_case", "snake case"),
        ("…", ""),
        ("'quoted'", "quoted"),
    ],
)
def test_words(text: str, normal: str) -> None:
    assert words(text) == normal
    assert letters(normal) == letters(text)


@pytest.mark.parametrize(
    ("text", "heard", "error"), [("one two", "One, two", 0.0), ("one", "", 1.0), ("one", "one one one", 8 / 3)]
)
def test_character_error(text: str, heard: str, error: float) -> None:
    assert character_error(text, heard) == pytest.approx(error)


def test_a_text_without_words_cannot_be_understood() -> None:
    with pytest.raises(ValueError, match="words"):
        character_error("...", "one")


def test_lines_by_name_and_by_file(tmp_path) -> None:
    assert len(load_lines("english")) == 20
    (tmp_path / "own.txt").write_text("a b\n\n c d \ne\nf\n")
    assert load_lines(str(tmp_path / "own.txt")) == ("a b", "c d", "e", "f")
    (tmp_path / "few.txt").write_text("a\nb\n")
    with pytest.raises(InputError, match="at least 4"):
        load_lines(str(tmp_path / "few.txt"))
    with pytest.raises(InputError, match="english"):
        load_lines("no such lines")
