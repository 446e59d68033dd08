"""A recording's voice against enrolled speech, with an encoder whose embeddings are known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.voices import murmur
from trainable.probe.measures.similarity import SIMILARITY_MARGIN, active_audio
from trainable.probe.speaker.verification import Enrolment
from trainable.speech.audio import SAMPLE_RATE


def pitch(wave: np.ndarray) -> np.ndarray:
    """[2]: a unit vector that turns with the share of sign changes, which is higher in a higher voice."""
    turn = 20 * np.mean(np.diff(np.signbit(wave)))
    return np.array([np.cos(turn), np.sin(turn)], np.float32)


def spoken(seconds: float, hertz: float = 200.0) -> np.ndarray:
    """[samples] float32 with about so many seconds of active audio: three quarters of a murmur are."""
    return np.concatenate([murmur(10.0, hertz)] * int(1 + seconds / 7))[: int(seconds / 0.75 * SAMPLE_RATE)]


def seconds_of(wave: np.ndarray) -> float:
    return active_audio(wave).size / SAMPLE_RATE


@pytest.mark.parametrize("seconds", [3, 8, 30])
def test_the_synthetic_speech_has_the_asked_length(seconds: int) -> None:
    assert seconds_of(spoken(seconds)) == pytest.approx(seconds, rel=0.1)


@pytest.mark.parametrize("clip", [spoken(3), spoken(4), spoken(8), spoken(30)])
def test_the_same_voice_passes_and_a_higher_one_does_not(clip: np.ndarray) -> None:
    enrolled = Enrolment(pitch, [spoken(30)])
    same, other = enrolled.similarity(clip), enrolled.similarity(murmur(clip.size / SAMPLE_RATE, 400.0))
    assert same.unknown is None and not same.has_drifted
    assert other.has_drifted and other.similarity < other.threshold


def test_the_threshold_is_the_least_of_the_others_pieces_to_the_reference_less_a_margin() -> None:
    reference, others = spoken(8), [spoken(10), spoken(10, 210.0)]
    found = Enrolment(pitch, [reference], others).similarity(spoken(8))
    speech = np.concatenate([active_audio(wave) for wave in others])
    anchor = pitch(active_audio(reference))
    pieces = np.array_split(speech, speech.size // (7 * SAMPLE_RATE))
    assert found.threshold == pytest.approx(
        min(float(pitch(piece) @ anchor) for piece in pieces) - SIMILARITY_MARGIN, abs=1e-6
    )
    assert f"{len(pieces)} pieces of the recordings of --like, each of 7 s" in found.origin


@pytest.mark.parametrize(
    ("reference", "clip", "published", "reason"),
    [
        (spoken(30), np.zeros(0, np.float32), None, "too few to tell a voice by"),
        (spoken(30), spoken(1.5), None, "too few to tell a voice by"),
        (spoken(5), spoken(8), 0.5, "are known of the voice"),
        (spoken(8), spoken(8), None, "too few to measure the voice"),
        (spoken(8), spoken(3), 0.5, "too few to measure the voice"),
    ],
)
def test_with_too_little_speech_the_reason_is_given(
    reference: np.ndarray, clip: np.ndarray, published: float | None, reason: str
) -> None:
    found = Enrolment(pitch, [reference], published=published).similarity(clip)
    assert reason in found.unknown and found.threshold is None and not found.has_drifted


def test_a_published_threshold_judges_a_long_clip_against_a_short_reference() -> None:
    found = Enrolment(pitch, [spoken(8)], published=0.9).similarity(spoken(8))
    assert (found.threshold, found.unknown, found.origin) == (0.9, None, "published for this encoder")


def test_each_piece_is_embedded_once_for_all_clips() -> None:
    calls = []
    enrolled = Enrolment(lambda wave: calls.append(wave.size) or pitch(wave), [spoken(30)])
    first = enrolled.similarity(spoken(8))
    before = len(calls)
    assert enrolled.similarity(spoken(8)) == first and len(calls) == before + 1
