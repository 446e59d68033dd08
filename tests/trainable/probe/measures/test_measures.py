"""Level, spectrum, speaking rate and character error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.voices import tone
from trainable.probe.measures.level import clipped_share, speech_share
from trainable.probe.measures.spectrum import average_spectrum, spectral_distance
from trainable.speech.audio import SAMPLE_RATE
from trainable.speech.tempo import SpeakingRate, fit_speaking_rate, letters
from trainable.speech.text.error_rate import character_error, normalise


def test_levels() -> None:
    half = np.concatenate([tone(1.0), np.zeros(SAMPLE_RATE, dtype=np.float32)])
    assert speech_share(half) == pytest.approx(0.5)
    assert speech_share(np.zeros(10, dtype=np.float32)) == 0
    assert speech_share(0.015 * tone(1.0)) < 0.01 < 0.99 < speech_share(0.03 * tone(1.0))
    half[9] = np.nan
    assert speech_share(half) == 0
    assert clipped_share(np.array([0.2, -1.0, 0.99, 0.98], dtype=np.float32)) == 0.5
    assert clipped_share(np.zeros(0, dtype=np.float32)) == 0


def test_a_spectrum_does_not_depend_on_loudness() -> None:
    low, high = average_spectrum(tone(1.0, 200)), average_spectrum(tone(1.0, 2000))
    assert spectral_distance(low, average_spectrum(0.01 * tone(2.0, 200))) < 0.5
    assert spectral_distance(low, high) > 5
    for nothing in (0, 100, SAMPLE_RATE):
        assert not average_spectrum(np.zeros(nothing, dtype=np.float32)).any()


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
    ("text", "normal"),
    [
        ("One,  TWO!", "one two"),
        ("It\u2019s Zoë's", "it's zoë's"),
        ("snake_case", "snake case"),
        ("…", ""),
        ("'quoted'", "quoted"),
    ],
)
def test_normalise(text: str, normal: str) -> None:
    assert normalise(text) == normal
    assert letters(normal) == letters(text)


@pytest.mark.parametrize(
    ("text", "heard", "error"), [("one two", "One, two", 0.0), ("one", "", 1.0), ("one", "one one one", 8 / 3)]
)
def test_character_error(text: str, heard: str, error: float) -> None:
    assert character_error(text, heard) == pytest.approx(error)


def test_a_text_without_words_has_no_character_error() -> None:
    with pytest.raises(ValueError, match="words"):
        character_error("...", "one")
