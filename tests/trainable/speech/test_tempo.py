"""Expected lengths of texts: fitted to clips, or from the script alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainable.speech.tempo import (
    CHARACTERS_PER_SECOND,
    PAUSE_SECONDS,
    SYLLABLES_PER_SECOND,
    SpeakingRate,
    default_seconds,
    fit_speaking_rate,
)


@given(st.floats(0, 2), st.floats(0.01, 0.2), st.lists(st.integers(1, 200), min_size=3, max_size=30, unique=True))
def test_a_speaking_rate_is_recovered(pause: float, rate: float, counts: list[int]) -> None:
    tempo = fit_speaking_rate(["a" * count for count in counts], [pause + rate * count for count in counts])
    assert tempo.expected_seconds("b" * 50) == pytest.approx(pause + rate * 50, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("texts", "seconds", "expected"),
    [(["aaaa", "aaaa"], [1.0, 3.0], 2.0), (["a", "aa"], [2.0, 1.0], 4.0), (["a" * 10, "a" * 20], [0.5, 2.0], 0.36)],
)
def test_speaking_rates_stay_positive(texts: list[str], seconds: list[float], expected: float) -> None:
    tempo = fit_speaking_rate(texts, seconds)
    assert tempo.pause >= 0 and tempo.per_letter > 0
    assert tempo.expected_seconds("aaaa") == pytest.approx(expected)


def test_a_speaking_rate_needs_letters() -> None:
    with pytest.raises(ValueError, match="letters"):
        fit_speaking_rate(["...", "!"], [1.0, 2.0])


def test_a_runaway_costs_seconds() -> None:
    tempo = SpeakingRate(pause=0.2, per_letter=0.07)
    assert tempo.frame_cap("Oh!") == 75
    assert tempo.frame_cap("a" * 100) == round(12.5 * (3 * 7.2 + 2))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("one nine seven two", PAUSE_SECONDS + 18 / CHARACTERS_PER_SECOND),
        ("  Один,   два! ", PAUSE_SECONDS + 8 / CHARACTERS_PER_SECOND),
        ("一九七二", PAUSE_SECONDS + 4 / SYLLABLES_PER_SECOND),
        ("안녕하세요", PAUSE_SECONDS + 5 / SYLLABLES_PER_SECOND),
        ("1972", PAUSE_SECONDS + 4 / SYLLABLES_PER_SECOND),
        ("שלום עולם", None),
        ("สวัสดีครับ", None),
    ],
)
def test_the_default_pace_follows_the_script(text: str, seconds: float | None) -> None:
    assert default_seconds(text) == (seconds if seconds is None else pytest.approx(seconds))
