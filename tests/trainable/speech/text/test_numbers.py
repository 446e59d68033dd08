"""Numbers: digits on either side agree with their words, and with no others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainable.speech.text.error_rate import character_error, normalise
from trainable.speech.text.numbers import readings, spoken_parts

SAME = [
    ("en", "forty-two horses", "42 horses"),
    ("en", "In nineteen eighty-four it rained.", "In 1984, it rained."),
    ("en", "one thousand nine hundred and eighty four", "1,984"),
    ("en", "one hundred one", "101"),
    ("en", "one hundred and one", "101"),
    ("en", "the twenty-first of May", "the 21st of May"),
    ("en", "room five five five", "room 555"),
    ("en", "It costs five dollars.", "It costs $5."),
    ("en", "fifty percent", "50 %"),
    ("en", "three point five", "3.5"),
    ("en", "seven thirty", "7:30"),
    ("en", "in twenty nineteen, twelve and thirteen", "in 2019, 12 and 13"),
    ("en", "call five five five in nineteen eighty-four", "call 555 in 1984"),
    ("no", "førtito hester", "42 hester"),
    ("nob", "den tjueførste mai", "den 21. mai"),
    ("norwegian", "tre komma fem prosent", "3,5 %"),
    ("no", "nitten åttifire", "1984"),
    ("de", "einundzwanzig Pferde", "21 Pferde"),
    ("deu", "neunzehnhundertvierundachtzig", "1984"),
    ("de", "Es waren zwölf.", "Es waren 12."),
    ("fr", "quatre-vingt-onze", "91"),
    ("auto", "forty-two horses", "42 horses"),
    ("auto", "42 hester", "42 hester"),
    ("ha", "42", "42"),
]
OTHER = [
    ("en", "forty-three horses", "42 horses"),
    ("no", "forty-two horses", "42 horses"),
    ("ha", "forty-two", "42"),
    ("en", "1984", "1985"),
    ("en", "the twenty-first", "the 22nd"),
]


@pytest.mark.parametrize(("language", "text", "heard"), SAME)
def test_digits_agree_with_their_words(language: str, text: str, heard: str) -> None:
    assert character_error(text, heard, language) == 0
    assert character_error(heard, text, language) == 0


@pytest.mark.parametrize(("language", "text", "heard"), OTHER)
def test_digits_do_not_agree_with_other_words(language: str, text: str, heard: str) -> None:
    assert character_error(text, heard, language) > 0


@given(st.text(alphabet="ab 0129.,$%st-€½٣"), st.sampled_from(["en", "no", "de", "fr", "ja", "auto", "ha", "x"]))
def test_any_text_can_be_read_and_agrees_with_itself(text: str, language: str) -> None:
    parts = spoken_parts(text, language)
    assert all(parts)
    assert len(readings(text, language)) == max(len(part) for part in parts)
    if normalise(text):
        assert character_error(text, text, language) == 0


@given(st.integers(min_value=0, max_value=10**18))
def test_no_digit_is_left_unread_in_english(number: int) -> None:
    assert not any(character.isdecimal() for reading in readings(f"{number} it is", "en") for character in reading)


def test_a_text_without_digits_is_read_as_it_is() -> None:
    assert spoken_parts("No digits here.", "en") == [("No digits here.",)]
