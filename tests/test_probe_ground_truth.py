"""A probe that rejects the recordings themselves is refused."""

from __future__ import annotations

import numpy as np
import pytest

from spaces.errors import InputError
from tests.voices import tone
from trainable.probe.ground_truth import HeardClip, check_ground_truth
from trainable.probe.tempo import Tempo

TEXT = "a sentence that is long enough to have a tempo"
TEMPO = Tempo(pause=0.0, per_letter=0.06)
LETTERS = 37


def good(error: float | None = 0.05) -> HeardClip:
    return HeardClip(TEXT, tone(LETTERS * 0.06), "as it was said", error)


def garbled() -> HeardClip:
    return HeardClip(TEXT, tone(LETTERS * 0.06), "something else", 0.7)


def silent() -> HeardClip:
    return HeardClip(TEXT, np.zeros(48_000, np.float32), None, None)


def rushed() -> HeardClip:
    return HeardClip(TEXT, tone(LETTERS * 0.03), None, None)


def clipped() -> HeardClip:
    return HeardClip(TEXT, np.clip(9 * tone(LETTERS * 0.06), -1, 1), None, None)


@pytest.mark.parametrize(
    ("clips", "said"),
    [
        ([good()] * 40, None),
        ([good(None)] * 40, None),
        ([*[good()] * 38, garbled(), garbled()], None),
        ([*[good()] * 37, *[garbled()] * 3], "garbled in 3"),
        ([*[good()] * 7, garbled()], None),
        ([*[good()] * 6, garbled(), garbled()], "2 of 8 recordings.*garbled in 2"),
        ([silent()] * 8, "silent in 8"),
        ([*[good()] * 6, rushed(), rushed()], "tempo in 2"),
        ([*[good()] * 6, clipped(), clipped()], "clipped in 2"),
    ],
)
def test_more_than_a_twentieth_that_fail_stop_a_search(clips: list[HeardClip], said: str | None) -> None:
    if said is None:
        check_ground_truth(clips, TEMPO)
        return
    with pytest.raises(InputError, match=said):
        check_ground_truth(clips, TEMPO)


@pytest.mark.parametrize(
    ("clip", "remedy"), [(garbled, "name another in the space"), (silent, "mend these recordings")]
)
def test_the_clips_and_the_remedy_are_named(clip, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        check_ground_truth([clip()] * 5, TEMPO)
    assert str(caught.value).count(TEXT) == 3 and remedy in str(caught.value)
