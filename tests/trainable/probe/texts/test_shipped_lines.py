"""The shipped lines: their order, lengths, words and sounds."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pocketsphinx
import pytest

from demo.corpus import DIGITS, is_held_out
from spaces.records.verdict import LineKind
from tests.support.held_out import LANGUAGES, NOTHING, held_out, sentences, texts_of
from tests.support.paths import DEMO_VOICE
from trainable.probe.texts.instructions import CALM, EXCITED, INSTRUCTED_COUNT, instructed_lines
from trainable.probe.texts.lines import (
    CONFIRMATION_LINES,
    confirmation_lines,
    lines_for,
    load_lines,
    shipped_names,
    unseen_texts,
)
from trainable.speech.tempo import letters
from trainable.speech.text.error_rate import normalise

ORDER = (
    ("ordinary", 60, 100),
    ("ordinary", 60, 100),
    ("own", 1, 500),
    ("passage", 200, 300),
    *[("ordinary", 40, 140)] * 7,
    *[("own", 1, 500)] * 4,
    *[("passage", 300, 500)] * 2,
    *[("number", 25, 140)] * 2,
    *[("question", 25, 140)] * 2,
    *[("short", 1, 24)] * 2,
    ("hard", 25, 140),
)
MIXTURE = {"ordinary": 42, "passage": 4, "number": 6, "question": 6, "short": 2}
LENGTHS = {"ordinary": (40, 140), "passage": (200, 500), "number": (25, 140), "question": (25, 140), "short": (1, 24)}
SOUNDS = {
    "german": "ä ö ü ß äu au eu ei ie ch sch sp st ng nk pf tz z v w j r h",
    "norwegian": "æ ø å au ei øy kj sj skj ng rt rn rd hv j y u o v",
}
"""Spellings that stand for sounds of the language."""


def pronunciations() -> dict[str, list[str]]:
    rows = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")).read_text().splitlines()
    return {word: sounds.split() for word, _, sounds in (row.partition(" ") for row in rows)}


def test_what_is_shipped() -> None:
    assert shipped_names() == ("digits", *LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_set_has_its_order_and_lengths(language: str) -> None:
    lines = lines_for(language, held_out(*sentences(5)))
    assert [line.kind for line in lines] == [kind for kind, _, _ in ORDER]
    for line, (_, least, most) in zip(lines, ORDER, strict=True):
        assert least <= letters(line.text) <= most, line.text
    assert len({normalise(line.text) for line in lines}) == len(lines)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_second_set_has_its_mixture_and_is_unseen(language: str) -> None:
    split = held_out(*sentences(5))
    second = confirmation_lines(language, split)
    assert len(second) == CONFIRMATION_LINES == 60
    assert Counter(line.kind for line in second) == MIXTURE
    for line in second:
        least, most = LENGTHS[line.kind]
        assert least <= letters(line.text) <= most, line.text
    assert unseen_texts(second, lines_for(language, split)) == 60


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_are_words_and_nothing_is_abbreviated(language: str) -> None:
    spoken = [
        *texts_of(load_lines(language)),
        *texts_of(confirmation_lines(language, NOTHING)),
        *instructed_lines(language, NOTHING),
    ]
    for text in spoken:
        assert not any(character.isnumeric() or character in "%&$€/@" for character in text), text
        assert re.search(r"[.!?]$", text), text
        assert not re.search(r"\.\s+[a-zæøåäöü]", text), text
        assert text == " ".join(text.split())


def test_english_words_are_in_the_dictionary() -> None:
    known = pronunciations()
    texts = [*texts_of(load_lines("english")), *texts_of(confirmation_lines("english", NOTHING))]
    spoken = {word for text in (*texts, *instructed_lines("english", NOTHING)) for word in normalise(text).split()}
    assert not {word for word in spoken if word not in known and word.removesuffix("'s") not in known}


def test_the_ordinary_english_lines_have_all_phonemes() -> None:
    known = pronunciations()
    ordinary = [line.text for line in load_lines("english") if line.kind is LineKind.ORDINARY]
    spoken = {sound for text in ordinary for word in normalise(text).split() for sound in known[word]}
    assert spoken == {sound for sounds in known.values() for sound in sounds}


@pytest.mark.parametrize("language", sorted(SOUNDS))
def test_the_ordinary_lines_have_the_spellings_of_all_sounds(language: str) -> None:
    ordinary = " ".join(line.text.lower() for line in load_lines(language) if line.kind is LineKind.ORDINARY)
    assert [spelling for spelling in SOUNDS[language].split() if spelling not in ordinary] == []


def test_the_demo_lines_are_digit_sequences_that_its_voice_never_said() -> None:
    first, second = lines_for("digits", NOTHING), confirmation_lines("digits", NOTHING)
    said = {json.loads(row)["text"] for row in (DEMO_VOICE / "metadata.jsonl").read_text().splitlines()}
    said.add((DEMO_VOICE / "ref_text.txt").read_text().strip())
    assert (len(first), len(second), unseen_texts(second, first)) == (20, 60, 60)
    assert {line.kind for line in (*first, *second)} == {LineKind.ORDINARY}
    for line in (*first, *second):
        assert line.text not in said and set(line.text.split()) <= set(DIGITS)
    assert all(is_held_out(line.text) for line in second)


@pytest.mark.parametrize("language", LANGUAGES)
def test_instructed_lines_are_four_that_are_in_no_set(language: str) -> None:
    texts = instructed_lines(language, NOTHING)
    others = (*load_lines(language), *confirmation_lines(language, NOTHING))
    assert len({normalise(text) for text in texts}) == INSTRUCTED_COUNT == 4
    assert not {normalise(text) for text in texts} & {normalise(line.text) for line in others}
    assert all(40 <= letters(text) <= 140 for text in texts)
    assert CALM != EXCITED
