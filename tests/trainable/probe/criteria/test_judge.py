"""From the flags of lines to the verdict on a probe, as tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from spaces.records.verdict import LineKind, SpokenLine
from tests.support.line_measures import HEALTHY, LONG
from trainable.probe.criteria.criteria_table import Flag
from trainable.probe.criteria.judge import BaseResult, allowed_failures, fisher_p_value, make_verdict, rarely_ends
from trainable.probe.measures.similarity import SpeakerMatch

SAME = SpeakerMatch(similarity=0.9, threshold=0.8, mismatches=0)
BASE = BaseResult(probability=0.6, missed=0, failed=0, lines=20)


def line(*flags: Flag, ratio: float = 1.0, error: float | None = 0.0, text: str = LONG, **changes) -> SpokenLine:
    fields = dict(
        text=text,
        heard=text if error is not None else None,
        audio="probe/line.wav",
        flags=flags,
        failed=any(flag.rejects for flag in flags) and changes.get("kind") is not LineKind.HARD,
        eos=Flag.NO_EOS not in flags,
        frames=37,
        frame_cap=100,
        seconds=3.0 * ratio,
        expected_seconds=3.0,
        measures={**HEALTHY, "character_error": error},
        similarity=0.9,
        spectral_distance=2.0,
        score=0.5,
    )
    return SpokenLine(**{**fields, **changes})


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
    verdict = make_verdict(lines, planned, SAME)
    assert verdict.accepted is accepted
    assert bool(verdict.reasons) is not accepted
    assert verdict.failed_lines == sum(one is BAD for one in lines)


@pytest.mark.parametrize(("ratio", "reason"), [(1.0, None), (0.86, None), (1.17, None), (0.8, "rushed"), (1.3, "slow")])
def test_the_median_tempo_rejects(ratio: float, reason: str | None) -> None:
    verdict = make_verdict([line(ratio=ratio)] * 4, 20, SAME)
    assert verdict.accepted is (reason is None)
    assert reason is None or reason in verdict.reasons[0]


def test_short_lines_have_no_tempo() -> None:
    assert make_verdict([line(ratio=0.5, text="oh")] * 4, 4, SAME).accepted


def test_without_a_transcript_garbled_is_unknown_and_no_pass() -> None:
    assert make_verdict([line(error=None)] * 4, 4, SAME).unknown == (Flag.GARBLED,)
    assert make_verdict([line()] * 4, 4, SAME).unknown == ()


def test_a_flat_line_does_not_fail() -> None:
    verdict = make_verdict([line(Flag.FLAT)] * 4, 4, SAME)
    assert verdict.accepted and verdict.failed_lines == 0 and verdict.flags == {Flag.FLAT: 4}


@pytest.mark.parametrize(
    ("voice", "accepted", "unknown"),
    [
        (SpeakerMatch(0.81, 0.8, 1), True, ()),
        (SpeakerMatch(0.79, 0.8, 2), False, ()),
        (SpeakerMatch(None, 0.8, 0), True, (Flag.VOICE_DRIFT,)),
        (SpeakerMatch(0.9, None, 0), True, (Flag.VOICE_DRIFT,)),
    ],
)
def test_another_voice_rejects_and_too_little_speech_is_unknown(voice, accepted: bool, unknown: tuple) -> None:
    verdict = make_verdict([line()] * 4, 4, voice)
    assert (verdict.accepted, verdict.unknown) == (accepted, unknown)
    assert verdict.flags.get(Flag.VOICE_DRIFT, 0) == voice.mismatches
    assert accepted or "another voice" in verdict.reasons[0]


def test_a_verdict_needs_a_line() -> None:
    with pytest.raises(ValueError, match="at least one"):
        make_verdict([], 4, SAME)


@pytest.mark.parametrize(("planned", "allowed"), [(1, 0), (2, 1), (12, 1), (13, 2), (20, 2), (23, 2), (28, 3), (60, 4)])
def test_allowed_failures(planned: int, allowed: int) -> None:
    assert allowed_failures(planned) == allowed


@pytest.mark.parametrize("planned", [4, 13, 20, 23, 40, 60])
def test_a_healthy_trial_is_rejected_in_at_most_one_probe_in_twenty(planned: int) -> None:
    rng = np.random.default_rng(planned)
    failed = rng.random((200_000, planned)) < 0.03

    def rejected(allowed: int) -> float:
        return float(np.mean((failed[:, :4].sum(axis=1) >= 2) | (failed.sum(axis=1) > allowed)))

    fewest = allowed_failures(planned)
    assert rejected(fewest) < 0.052
    assert rejected(fewest - 1) > 0.048


def test_a_hard_line_does_not_count() -> None:
    hard = line(Flag.GARBLED, Flag.NO_EOS, kind=LineKind.HARD, score=0.0)
    verdict = make_verdict([line(), hard, hard, line(), line()], 3, SAME, base=BASE)
    assert verdict.accepted and verdict.failed_lines == 0 and verdict.flags == {} and verdict.notes == ()
    assert verdict.score == 0.5 and verdict.judged_lines == 3 and len(verdict.lines) == 5


def test_the_screen_is_four_lines_that_count() -> None:
    hard = line(kind=LineKind.HARD)
    assert not make_verdict([hard, hard, BAD, line(), BAD], 20, SAME).accepted


@pytest.mark.parametrize(
    ("probability", "base", "accepted"),
    [
        (0.009, BASE, False),
        (0.011, BASE, True),
        (0.005, BaseResult(0.04, 0, 0, 20), True),
        (0.003, BaseResult(0.04, 0, 0, 20), False),
        (None, BASE, True),
        (0.0, None, True),
        (0.0, BaseResult(None, 0, 0, 20), True),
    ],
)
def test_a_low_end_probability_rejects(probability, base, accepted: bool) -> None:
    verdict = make_verdict([line()], 20, SAME, end_probability=probability, base=base)
    assert verdict.accepted is accepted is not rarely_ends(probability, base)
    assert accepted or "hardly ever end" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("missed", "base_missed", "note"),
    [(0, 0, None), (1, 0, "no more than chance"), (1, 1, "no more than chance"), (5, 0, ": more than chance")],
)
def test_missed_ends_are_compared_with_those_of_the_base(missed: int, base_missed: int, note: str | None) -> None:
    lines = [line(Flag.NO_EOS)] * missed + [line()] * (20 - missed)
    notes = make_verdict(lines, 20, SAME, base=BaseResult(0.6, base_missed, base_missed, 20)).notes
    assert notes == () if note is None else note in notes[0]
    assert make_verdict(lines, 20, SAME).notes == ()


@given(st.integers(0, 20), st.integers(0, 20))
def test_the_p_value_of_missed_ends_is_fishers(missed: int, base: int) -> None:
    expected = fisher_exact([[missed, 20 - missed], [base, 20 - base]], alternative="greater").pvalue
    assert fisher_p_value(missed, 20, base, 20) == pytest.approx(expected)


@pytest.mark.parametrize(("failed", "accepted"), [(0, True), (6, True), (7, False)])
def test_a_confirmation_rejects_when_more_than_one_line_in_twenty_fails_for_sure(failed: int, accepted: bool) -> None:
    lines = [BAD] * failed + [line()] * (60 - failed)
    assert make_verdict(lines, 60, SAME, confirms=True).accepted is accepted
