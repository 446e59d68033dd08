"""Stutter: fragments that return at least twice."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.support.corruptions import corrupted, demo_clips, joined_lines
from tests.support.voices import tone
from trainable.probe.measures.repeated_words import has_doubled_word
from trainable.probe.measures.stutter import MAX_STUTTER, stutter
from trainable.speech.audio import SAMPLE_RATE


@cache
def lines() -> list[tuple[np.ndarray, str]]:
    return joined_lines(demo_clips())


def test_a_stutter_is_found_in_nineteen_lines_of_twenty() -> None:
    assert len(lines()) == 20
    assert sum(stutter(corrupted("stutter", wave, seed)) > MAX_STUTTER for seed, (wave, _) in enumerate(lines())) >= 19


@pytest.mark.parametrize("min_seconds", [0.0, 3.0])
def test_clean_digits_stutter_only_where_a_word_comes_twice(min_seconds: float) -> None:
    heard = [text for wave, text in joined_lines(demo_clips(), min_seconds) if stutter(wave) > MAX_STUTTER]
    assert [text for text in heard if not has_doubled_word(text)] == []


@pytest.mark.parametrize("kind", ["noise 5 dB", "rushed", "slow", "reversed", "inner pause", "monotone"])
def test_other_corruptions_do_not_stutter(kind: str) -> None:
    waves = [corrupted(kind, wave, seed) for seed, (wave, text) in enumerate(lines()) if not has_doubled_word(text)]
    assert len(waves) >= 8
    assert sum(stutter(wave) > MAX_STUTTER for wave in waves) <= 1


@pytest.mark.parametrize("seconds", [0.12, 0.2, 0.3, 0.45])
def test_a_fragment_of_any_length_is_found_by_its_second_return(seconds: float) -> None:
    wave, start, length = lines()[1][0], SAMPLE_RATE, int(seconds * SAMPLE_RATE)

    def with_returns(times: int) -> float:
        return stutter(np.concatenate([wave[:start], np.tile(wave[start : start + length], times), wave[start:]]))

    assert with_returns(0) < MAX_STUTTER < with_returns(2)


@pytest.mark.parametrize("decibels", [-20, 6])
def test_the_level_does_not_matter(decibels: int) -> None:
    for kind in ("clean", "stutter"):
        wave = corrupted(kind, lines()[2][0], 2)
        assert stutter(wave * np.float32(10 ** (decibels / 20))) == pytest.approx(stutter(wave), abs=0.03)


@pytest.mark.parametrize(
    "wave",
    [np.zeros(0), np.zeros(1), np.ones(1), np.zeros(SAMPLE_RATE), np.full(SAMPLE_RATE, np.nan), tone(3.0)],
    ids=["empty", "one zero", "one sample", "silence", "nan", "tone"],
)
def test_without_speech_nothing_stutters(wave: np.ndarray) -> None:
    assert stutter(wave.astype(np.float32)) == 0.0
