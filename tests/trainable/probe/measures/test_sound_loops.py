"""Loops in the sound and repeated words in the transcript."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.corruptions import corrupted, demo_clips, joined_lines
from tests.support.voices import tone
from trainable.probe.measures.repeated_words import has_repetition, inserted_share, repeated_words, trailing_words
from trainable.probe.measures.sound_loops import MAX_REPEATED_SHARE, repeated_share
from trainable.speech.audio import SAMPLE_RATE

WORDS = st.lists(st.sampled_from(["one", "two", "three", "four", "five", "six"]), max_size=12).map(" ".join)


@cache
def lines() -> list[tuple[np.ndarray, str]]:
    return joined_lines(demo_clips())


def looped(kind: str) -> int:
    """Of the twenty lines."""
    return sum(
        repeated_share(corrupted(kind, wave, seed)) > MAX_REPEATED_SHARE for seed, (wave, _) in enumerate(lines())
    )


@pytest.mark.parametrize("kind", ["loop hard", "loop soft", "loop word", "rewind hard", "rewind soft", "said twice"])
def test_loops_are_found_in_nineteen_lines_of_twenty(kind: str) -> None:
    assert len(lines()) == 20
    assert looped(kind) >= 19


@pytest.mark.parametrize("kind", ["tone", "pure noise", "noise 5 dB", "noise 0 dB", "mu-law", "rushed"])
def test_other_corruptions_do_not_loop(kind: str) -> None:
    assert looped(kind) <= 1


@pytest.mark.parametrize("min_seconds", [0.0, 3.0, 5.0])
def test_clean_digits_repeat_themselves_only_where_their_text_does(min_seconds: float) -> None:
    heard = [
        text for wave, text in joined_lines(demo_clips(), min_seconds) if repeated_share(wave) > MAX_REPEATED_SHARE
    ]
    assert [text for text in heard if not has_repetition(text)] == []


def test_of_the_demo_voices_clips_one_at_most_repeats_itself() -> None:
    clips = demo_clips()
    assert len(clips) == 48
    assert sum(repeated_share(wave) > MAX_REPEATED_SHARE for wave, _ in clips) <= 1


def test_both_occurrences_of_a_repeated_text_count() -> None:
    assert all(repeated_share(corrupted("said twice", wave, 0)) > 0.9 for wave, _ in lines()[:5])


def test_a_held_vowel_repeats_nothing() -> None:
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    phase = np.cumsum(140 * (1 + 0.02 * np.sin(2 * np.pi * 5 * time))) / SAMPLE_RATE
    vowel = sum(np.sin(2 * np.pi * n * phase) / (1 + ((140 * n - 700) / 200) ** 2) for n in range(1, 40))
    sung = (0.1 * vowel * (1 + 0.3 * np.sin(2 * np.pi * 3 * time))).astype(np.float32)
    wave = lines()[1][0]
    assert repeated_share(sung) == 0.0
    assert repeated_share(np.concatenate([wave, sung])) <= repeated_share(wave)


@pytest.mark.parametrize("decibels", [-20, 6])
def test_the_level_does_not_matter(decibels: int) -> None:
    for kind in ("clean", "loop soft"):
        wave = corrupted(kind, lines()[2][0], 2)
        assert repeated_share(wave * np.float32(10 ** (decibels / 20))) == pytest.approx(repeated_share(wave), abs=0.02)


@pytest.mark.parametrize(
    "wave",
    [np.zeros(0), np.zeros(1), np.ones(1), np.zeros(SAMPLE_RATE), np.full(SAMPLE_RATE, np.nan), tone(3.0)],
    ids=["empty", "one zero", "one sample", "silence", "nan", "tone"],
)
def test_without_speech_nothing_repeats(wave: np.ndarray) -> None:
    assert repeated_share(wave.astype(np.float32)) == 0.0


def test_of_an_hour_the_first_minutes_are_judged() -> None:
    hour = np.zeros(3600 * SAMPLE_RATE, np.float32)
    looping = corrupted("loop hard", lines()[0][0], 0)
    hour[: looping.size] = looping
    assert repeated_share(hour) > MAX_REPEATED_SHARE


SAT = "the cat sat on the mat"
LONG = "a sentence of rather more than ten words that goes on and on for a while"


@pytest.mark.parametrize(
    ("text", "heard", "phrases"),
    [
        (SAT, SAT, []),
        (SAT, "The cat sat -- on the mat!", []),
        (SAT, "", []),
        ("", "", []),
        (SAT, f"{SAT} {SAT}", [SAT]),
        (SAT, "the cat the cat sat on the mat", ["the cat"]),
        (SAT, "the cat sat on the mat mat mat mat", ["mat"]),
        (SAT, "the the cat sat on the mat", []),
        (SAT, "the the the cat sat on the mat", ["the"]),
        ("seven seven two", "seven seven two", []),
        ("seven seven two", "seven seven seven two", []),
        ("seven two", "seven seven seven two", ["seven"]),
        ("two three", "two two", []),
        (SAT, "the cat sat cat on cat the mat", ["cat"]),
        (LONG, LONG.replace("words", "words while").replace("goes", "while goes"), []),
        (LONG, LONG.replace("words", "words while").replace("goes", "while goes") + " or while", ["while"]),
        (LONG, LONG.replace("sentence", "while").replace("ten", "while").replace("that", "while"), []),
        ("it\u2019s late", "it's late it's late", ["it's late"]),
    ],
)
def test_repeated_words(text: str, heard: str, phrases: list[str]) -> None:
    assert repeated_words(text, heard) == phrases


@pytest.mark.parametrize(
    ("text", "heard", "share"),
    [
        (SAT, SAT, 0.0),
        (SAT, f"{SAT} {SAT}", 1.0),
        (SAT, f"{SAT} with three more", 0.5),
        (SAT, "a dog lay by a rug", 0.0),
        (SAT, "", 0.0),
        ("", "two words", 2.0),
        ("...", "", 0.0),
    ],
)
def test_inserted_share(text: str, heard: str, share: float) -> None:
    assert inserted_share(text, heard) == share


@pytest.mark.parametrize(
    ("text", "does"),
    [
        (SAT, False),
        ("seven seven seven two", True),
        ("seven seven two", False),
        ("one two three one two", True),
        ("one two one", False),
        ("to the left, and then to the right until you see the church, which stands there alone", False),
        ("press one to go on, or two to hear it again; press one to go on", True),
        ("", False),
    ],
)
def test_has_repetition(text: str, does: bool) -> None:
    assert has_repetition(text) is does


@pytest.mark.parametrize(
    ("text", "heard", "count"),
    [
        (SAT, SAT, 0),
        (SAT, f"{SAT} would early quickly", 3),
        (SAT, "the cat sat on the rug by the door", 3),
        (SAT, "the cat sat on", 0),
        (SAT, f"early quickly {SAT}", 0),
        (SAT, "", 0),
        ("", "early quickly", 0),
    ],
)
def test_words_after_the_end(text: str, heard: str, count: int) -> None:
    assert trailing_words(text, heard) == count


@given(WORDS)
def test_a_perfect_transcript_repeats_nothing(text: str) -> None:
    assert repeated_words(text, text) == []
    assert inserted_share(text, text) == 0.0


@settings(deadline=None)
@given(WORDS, WORDS)
def test_repeated_words_are_in_the_transcript(text: str, heard: str) -> None:
    assert all(f" {phrase} " in f" {heard} " for phrase in repeated_words(text, heard))
    assert inserted_share(text, heard) >= 0
