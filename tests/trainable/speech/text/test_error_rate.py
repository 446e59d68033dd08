"""Normalised texts and character error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainable.speech.tempo import letters
from trainable.speech.text.error_rate import character_error, normalise

SAME = [
    ("It\u2019s \u201cDon\u2018t\u201d", "it's don't"),
    ("l\u02bcami", "l'ami"),
    ("\u0149 Huis", "'n huis"),
    ("Straße", "STRASSE"),
    ("Ål, ÆØ; Zoë!", "a\u030al æø zoe\u0308"),
    ("ƁARAWO ƊAN ƘASA", "ɓarawo ɗan ƙasa"),
    ("İstanbul", "istanbul"),
    ("１２ ﬁn", "12 fin"),
    ("co\u00adoperate", "cooperate"),
    ("你好。世界！", "你 好 世界"),
    ("用 Python 写", "用python写"),
    ("きょうは、いい", "きょう は いい"),
    ("สวัสดีครับ", "สวัสดี ครับ"),
    ("كِتَابٌ", "كتاب"),
    ("שָׁלוֹם", "שלום"),
    ("नमस्ते।", "नमस्ते"),
]
OTHER = [
    ("कि", "की"),
    ("no", "nö"),
    ("21", "twenty two"),
    ("ka", "ƙa"),
    ("o", "ọ́"),
    ("กา", "กี"),
    ("an other", "another"),
]


@pytest.mark.parametrize(("text", "heard"), SAME)
def test_equal_texts(text: str, heard: str) -> None:
    assert normalise(text) == normalise(heard) != ""
    assert character_error(text, heard) == 0


@pytest.mark.parametrize(("text", "heard"), OTHER)
def test_different_texts(text: str, heard: str) -> None:
    assert character_error(text, heard) > 0


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Don't stop.", "don't stop"),
        ("rock 'n' roll", "rock n roll"),
        ("the dogs' bowl -- twenty-one", "the dogs bowl twenty one"),
        ("\U0001f600 \u2014 ''", ""),
        ("हिन्दी में", "हिन्दी में"),
    ],
)
def test_normalised_words(text: str, normal: str) -> None:
    assert normalise(text) == normal


@given(st.text(alphabet="aÅß 'İ’ʼ_-.9你の สี\u0301\u200d\u05b8\u0640Ǆκ"))
def test_normalisation_is_idempotent(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


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
