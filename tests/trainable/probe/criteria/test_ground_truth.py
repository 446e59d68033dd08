"""A probe that rejects the voice's own recordings is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from spaces.errors import InputError
from tests.support.line_measures import LONG
from tests.support.line_measures import line_measures as clip
from trainable.dataset.finding import Severity
from trainable.probe.criteria.criterion import LineMeasures
from trainable.probe.criteria.ground_truth import MeasureRecordings, check_ground_truth


def good() -> LineMeasures:
    return clip(heard=LONG, character_error=0.0)


def garbled() -> LineMeasures:
    return clip(heard="something else", character_error=0.7)


def silent() -> LineMeasures:
    return clip(speech_share=0.0)


def rushed() -> LineMeasures:
    return clip(seconds=1.5)


def paused() -> LineMeasures:
    """With the pauses of a slow reader."""
    return clip(inner_pause_seconds=2.5)


def unended() -> LineMeasures:
    return clip(tail_seconds=2.0)


def clipped() -> LineMeasures:
    return clip(clipped_share=0.1)


def unclear() -> LineMeasures:
    return clip(heard=LONG, character_error=0.5)


def as_they_are(clips: Sequence[LineMeasures]) -> MeasureRecordings:
    """The recordings are no better than what the codec gives back."""
    return lambda places: [clips[place] for place in places]


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
        assert check_ground_truth(clips, as_they_are(clips)) is None
        return
    with pytest.raises(InputError, match=message):
        check_ground_truth(clips, as_they_are(clips))


@pytest.mark.parametrize(
    ("coded", "recorded", "message"),
    [
        ([*[good()] * 30, *[unclear()] * 10], good, "rejects 10 of 40 as the codec .*garbled in 10"),
        ([*[good()] * 30, *[unclear()] * 10], garbled, None),
        # Its own clips do not move the threshold of clipping.
        ([*[good()] * 30, *[clipped()] * 10], good, None),
    ],
)
def test_a_codec_that_spoils_good_recordings_is_named_where_thresholds_allow_for_it(coded, recorded, message) -> None:
    if message is None:
        with pytest.raises(InputError, match="10 of 40 recordings"):
            check_ground_truth(coded, lambda places: [recorded() for _ in places])
        return
    finding = check_ground_truth(coded, lambda places: [recorded() for _ in places])
    assert finding.severity is Severity.WARNING and re.search(message, finding.message)


@pytest.mark.parametrize(
    ("spoiled", "remedy"), [(garbled, "name another (--recogniser)"), (silent, "repair these recordings")]
)
def test_the_clips_and_the_remedy_are_named(spoiled, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        check_ground_truth([spoiled()] * 5, as_they_are([spoiled()] * 5))
    assert str(caught.value).count(LONG) == 3 and remedy in str(caught.value)
