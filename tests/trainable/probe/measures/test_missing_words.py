"""Words of a text that its transcript lacks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainable.probe.measures.missing_words import (
    MAX_OMITTED_SHARE,
    omitted_share,
    omitted_threshold,
    omitted_words,
)

TEXT = "the cat sat on the mat and looked at the door"
WORDS = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=12).map(" ".join)


@pytest.mark.parametrize(
    ("heard", "missing"),
    [
        (TEXT, 0),
        ("The cat sat on the mat, and looked at the door!", 0),
        ("the cat sat and looked at the door", 3),
        ("the cat sat by looked at the door", 3),
        ("the cat sat in a hat and looked at the door", 0),
        ("the cat sat on the mat", 5),
        ("looked at the door", 7),
        ("the cat on the mat and looked the door", 1),
        ("", 11),
        ("nothing", 10),
    ],
)
def test_the_largest_gap(heard: str, missing: int) -> None:
    assert omitted_words(TEXT, heard) == missing
    assert omitted_share(TEXT, heard) == (missing / 11 if missing >= 3 else 0)


def test_numbers_written_as_digits_are_no_gap() -> None:
    assert omitted_words("in the year nineteen seventy two", "in the year 1972") == 0


def test_a_text_without_words_misses_none() -> None:
    assert omitted_share("...", "anything") == 0


@pytest.mark.parametrize(
    ("text", "heard", "left_out"),
    [
        (TEXT, "the cat sat and looked at the door", True),
        (TEXT, "the cat sat on and looked at the door", False),
        ("one two three four", "one two", False),
        ("one two three four", "one", True),
        (f"{TEXT} {TEXT}", f"the cat sat and looked at the door {TEXT}", False),
        ("", "", False),
    ],
)
def test_three_words_and_a_fifth_of_the_text(text: str, heard: str, left_out: bool) -> None:
    assert (omitted_share(text, heard) > omitted_threshold(())) is left_out


@given(st.lists(st.floats(0, 1), max_size=40))
def test_a_voice_is_allowed_more_than_most_of_its_own_clips_miss(shares: list[float]) -> None:
    threshold = omitted_threshold(shares)
    assert threshold >= MAX_OMITTED_SHARE
    assert not shares or threshold > sorted(shares)[(len(shares) - 1) // 2]


@settings(deadline=None)
@given(WORDS, WORDS)
def test_no_more_words_are_missing_than_the_text_has(text: str, heard: str) -> None:
    missing = omitted_words(text, heard)
    assert 0 <= missing <= len(text.split())
    assert omitted_words(text, text) == 0
