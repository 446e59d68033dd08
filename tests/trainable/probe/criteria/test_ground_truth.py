"""A probe that rejects the voice's own recordings is refused."""

from __future__ import annotations

import pytest

from spaces.errors import InputError
from trainable.probe.criteria.ground_truth import check_ground_truth
from trainable.probe.measures.line import LineMeasures
from trainable.probe.measures.pauses import Pauses

TEXT = "a sentence that is long enough to have a tempo"


def clip(**changes) -> LineMeasures:
    healthy = {
        "text": TEXT,
        "heard": None,
        "eos": True,
        "seconds": 3.0,
        "expected_seconds": 3.0,
        "speech_share": 0.8,
        "clipped_share": 0.0,
        "character_error": None,
        "flatness": -30.0,
        "repeated_share": 0.0,
        "pauses": Pauses(longest_inner=0.3, tail=0.1),
        "pitch_range": 6.0,
        "energy_range": 15.0,
    }
    return LineMeasures(**{**healthy, **changes})


def good() -> LineMeasures:
    return clip(heard=TEXT, character_error=0.0)


def garbled() -> LineMeasures:
    return clip(heard="something else", character_error=0.7)


def silent() -> LineMeasures:
    return clip(speech_share=0.0)


def rushed() -> LineMeasures:
    return clip(seconds=1.5)


def paused() -> LineMeasures:
    """With the pauses of a slow reader."""
    return clip(pauses=Pauses(longest_inner=2.5, tail=0.1))


def unended() -> LineMeasures:
    return clip(pauses=Pauses(longest_inner=0.3, tail=2.0))


def clipped() -> LineMeasures:
    return clip(clipped_share=0.1)


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([good()] * 40, None),
        ([clip()] * 40, None),
        ([*[good()] * 38, garbled(), garbled()], None),
        ([*[good()] * 37, *[garbled()] * 3], "garbled in 3"),
        ([*[good()] * 7, garbled()], None),
        ([*[good()] * 6, garbled(), garbled()], "2 of 8 recordings.*garbled in 2"),
        ([silent()] * 8, "silent in 8"),
        ([*[good()] * 6, rushed(), rushed()], "tempo in 2"),
        ([*[good()] * 6, clipped(), clipped()], "clipped in 2"),
        ([*[good()] * 6, paused(), paused()], None),
        ([*[good()] * 6, unended(), unended()], "2.0 s of silence at its end"),
    ],
)
def test_more_than_a_twentieth_that_fail_stop_a_search(clips: list[LineMeasures], message: str | None) -> None:
    if message is None:
        check_ground_truth(clips)
        return
    with pytest.raises(InputError, match=message):
        check_ground_truth(clips)


@pytest.mark.parametrize(
    ("spoiled", "remedy"), [(garbled, "name another in the space"), (silent, "repair these recordings")]
)
def test_the_clips_and_the_remedy_are_named(spoiled, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        check_ground_truth([spoiled()] * 5)
    assert str(caught.value).count(TEXT) == 3 and remedy in str(caught.value)
