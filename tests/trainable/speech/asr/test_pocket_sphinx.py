"""Pocketsphinx with a bigram model of sentences: its probabilities, and transcripts of speech and of garble."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketsphinx import get_model_path

from demo.corpus import DIGITS
from spaces.errors import InputError
from tests.support.paths import ROOT
from trainable.speech.asr.bigram_model import END, LOG_ZERO, START, arpa
from trainable.speech.asr.pocket_sphinx import PocketSphinx, distractors, pronunciations
from trainable.speech.audio import SAMPLE_RATE, read_audio
from trainable.speech.text.error_rate import character_error

VOICE = ROOT / "demo" / "voice"
CLIPS = [json.loads(line) for line in (VOICE / "metadata.jsonl").read_text().splitlines()]
TEXTS = [clip["text"] for clip in CLIPS]
SOME = [place for place, text in enumerate(TEXTS) if len(text.split()) >= 5][:10]
SENTENCES = st.lists(st.lists(st.sampled_from("abcd"), max_size=5), min_size=1, max_size=6).filter(any)


def wave_of(place: int) -> np.ndarray:
    return read_audio(VOICE / CLIPS[place]["audio_filepath"])


@pytest.fixture(scope="module")
def digits() -> PocketSphinx:
    return PocketSphinx(TEXTS)


def entries(model: str) -> tuple[dict[str, tuple[float, float]], dict[tuple[str, str], float]]:
    """log10 probability and back-off weight of each word, log10 probability of each pair."""
    singles, pairs = {}, {}
    for line in model.splitlines():
        match line.split():
            case [share, word] if share.startswith(("-", "0.")):
                singles[word] = (float(share), -math.inf)
            case [share, word, backoff] if backoff.startswith("-"):
                singles[word] = (float(share), float(backoff))
            case [share, one, two] if share.startswith(("-", "0.")):
                pairs[one, two] = float(share)
    return singles, pairs


@given(SENTENCES)
def test_the_probabilities_after_a_word_sum_to_1(sentences: list[list[str]]) -> None:
    model = arpa(sentences)
    singles, pairs = entries(model)
    assert f"ngram 1={len(singles)}\nngram 2={len(pairs)}\n" in model
    assert set(singles) == {START, END, *(word for sentence in sentences for word in sentence)}
    assert singles[START][0] == LOG_ZERO and {two for _, two in pairs}.isdisjoint({START})
    assert set(pairs) == {pair for sentence in sentences if sentence for pair in pairwise([START, *sentence, END])}
    for history in set(singles) - {END}:
        total = 0.0
        for word in set(singles) - {START}:
            seen = pairs.get((history, word))
            share = 10**seen if seen is not None else 10 ** (singles[history][1] + singles[word][0])
            assert share > 0
            total += share
        assert total == pytest.approx(1, abs=1e-4)


@given(SENTENCES)
def test_pairs_of_the_sentences_are_likelier_than_others(sentences: list[list[str]]) -> None:
    singles, pairs = entries(arpa(sentences))
    for (one, two), share in pairs.items():
        assert share > singles[one][1] + singles[two][0]


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("cup's", ["K AH P S"]),
        ("dog's", ["D AO G Z"]),
        ("judge's", ["JH AH JH IH Z"]),
        ("fox's", ["F AA K S IH Z"]),
        ("it's", ["IH T S"]),
        ("xqzzt", []),
        ("xqzzt's", []),
    ],
)
def test_a_possessive_is_pronounced_as_a_plural(word: str, phones: list[str]) -> None:
    known = {
        "cup": ["K AH P"],
        "dog": ["D AO G"],
        "judge": ["JH AH JH"],
        "fox": ["F AA K S"],
        "it's": ["IH T S"],
    }
    assert pronunciations(word, known) == phones


def test_the_distractors_are_many_and_pronounced() -> None:
    english, digits = distractors({"horse"}), distractors({"seven", "one"})
    assert len({tuple(sentence) for sentence in english}) == len(english) >= 150
    assert {word for sentence in digits for word in sentence} == set(DIGITS)
    assert {pair for sentence in digits for pair in pairwise(sentence)} == {
        (one, two) for one in DIGITS for two in DIGITS
    }
    with (Path(get_model_path("en-us/cmudict-en-us.dict"))).open(encoding="utf-8") as file:
        known = {line.partition(" ")[0] for line in file}
    assert {word for sentence in english for word in sentence} <= known


def test_digits_are_recognised_and_garble_is_not(digits: PocketSphinx) -> None:
    waves = [wave_of(place) for place in SOME]
    heard = digits.transcribe(waves)
    assert heard == [digits.transcribe([wave])[0] for wave in waves]
    assert np.mean([character_error(TEXTS[place], each) for place, each in zip(SOME, heard, strict=True)]) < 0.05
    backwards = digits.transcribe([wave[::-1].copy() for wave in waves])
    assert all(character_error(TEXTS[place], each) > 0.35 for place, each in zip(SOME, backwards, strict=True))
    others = [character_error(TEXTS[place], each) for place, each in zip(SOME[1:] + SOME[:1], heard, strict=True)]
    assert min(others) > 0.35


def test_a_sentence_among_digits_is_not_recognised_in_anything(digits: PocketSphinx) -> None:
    """With digits alone only digits are recognised; with a sentence, words of the distractors are as well."""
    sentence = "The cat sat down."
    garble = [wave_of(place)[::-1].copy() for place in SOME]
    vocabulary = {word for text in [*TEXTS, sentence] for word in text.lower().strip(".").split()}
    assert {word for heard in digits.transcribe(garble) for word in heard.split()} <= vocabulary
    assert (
        not {word for heard in PocketSphinx([*TEXTS, sentence]).transcribe(garble) for word in heard.split()}
        <= vocabulary
    )


@pytest.mark.parametrize("place", SOME[:4])
def test_a_single_text_is_not_recognised_in_garble(place: int) -> None:
    recogniser = PocketSphinx([TEXTS[place]])
    garble = [wave_of(place)[::-1].copy(), np.random.default_rng(0).normal(0, 0.1, 2 * SAMPLE_RATE).astype(np.float32)]
    assert min(character_error(TEXTS[place], each) for each in recogniser.transcribe(garble)) > 0.35


def test_silence_has_an_empty_transcript(digits: PocketSphinx) -> None:
    silence = [np.zeros(SAMPLE_RATE, dtype=np.float32), np.zeros(0, dtype=np.float32)]
    assert digits.transcribe([*silence, np.full(SAMPLE_RATE, np.nan, dtype=np.float32)]) == [""] * 3


def test_words_without_a_pronunciation_are_skipped_and_digits_are_words() -> None:
    recogniser = PocketSphinx(["One xqzzt two three four five", "the sheikh's 6 horses"])
    assert character_error(TEXTS[SOME[0]], recogniser.transcribe([wave_of(SOME[0])])[0]) < 1


@pytest.mark.parametrize("texts", [["Jeg vet ikke hva hun gjør på fjellet."], ["xqzzt"], [], ["..."]])
def test_texts_that_are_not_english_are_refused(texts: list[str]) -> None:
    with pytest.raises(InputError, match="no pronunciation .* name a Whisper or CTC checkpoint"):
        PocketSphinx(texts)
