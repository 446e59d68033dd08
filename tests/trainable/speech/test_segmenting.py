"""Where a long recording is cut, from its pauses."""

from __future__ import annotations

from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces.errors import InputError
from trainable.speech.segmenting import MAX_INNER_PAUSE, PADDING, ClipLengths, best_reference, cut
from trainable.speech.vad import TimeSpan

NEAR = 1e-6


def middle(earliest: float, latest: float) -> float:
    return (earliest + latest) / 2


def spans(*bounds: tuple[float, float]) -> list[TimeSpan]:
    return [TimeSpan(*each) for each in bounds]


CUTS = [
    ("nothing said", [], (2, 12), []),
    ("one utterance keeps its room", [(5, 8)], (2, 12), [(4.8, 8.2)]),
    ("no room beyond the recording's ends", [(0.1, 9.95)], (2, 12), [(0, 10)]),
    ("a long pause parts two", [(1, 4), (5, 8)], (2, 12), [(0.8, 4.2), (4.8, 8.2)]),
    ("a short pause does not", [(1, 4), (4.3, 8)], (2, 12), [(0.8, 8.2)]),
    ("a short pause is shared at its middle", [(1, 5), (5.3, 9)], (2, 5), [(0.8, 5.15), (5.15, 9.2)]),
    ("a short one joins its neighbour", [(1, 1.5), (2.2, 5)], (2, 12), [(0.8, 5.2)]),
    ("a short one stays alone among long pauses", [(1, 1.5), (4, 7)], (2, 12), [(0.8, 1.7), (3.8, 7.2)]),
    ("of three pauses the longest is cut", [(0, 3), (3.1, 5), (5.4, 8), (8.1, 9)], (2, 6), [(0, 5.2), (5.2, 9.2)]),
    ("speech without a pause is cut in two", [(0, 10)], (2, 6.4), [(0, 5), (5, 10)]),
]


@pytest.mark.parametrize(("speech", "lengths", "expected"), [case[1:] for case in CUTS], ids=[case[0] for case in CUTS])
def test_cuts_where_a_reader_pauses(
    speech: list[tuple[float, float]], lengths: tuple[float, float], expected: list[tuple[float, float]]
) -> None:
    clips = cut(spans(*speech), TimeSpan(0, 10), ClipLengths(*lengths), middle)
    assert [tuple(round(each, 6) for each in clip) for clip in clips] == expected


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[TimeSpan], float, ClipLengths, list[float]]:
    """Speech, the recording's length, the bounds, and where in its window each quietest point lies."""
    speech, at = [], draw(st.floats(0, 3))
    for _ in range(draw(st.integers(0, 25))):
        end = at + draw(st.one_of(st.floats(0.1, 4), st.floats(0.1, 60)))
        speech.append(TimeSpan(at, end))
        at = end + draw(st.one_of(st.floats(0.1, 1), st.floats(0.1, 5)))
    longest = draw(st.floats(1, 30))
    shortest = draw(st.floats(0.1, longest, exclude_max=True))
    shares = draw(st.lists(st.floats(0, 1), min_size=1, max_size=5))
    return speech, at, ClipLengths(shortest, longest), shares


@given(recordings())
@settings(max_examples=300, deadline=None)
def test_all_speech_is_in_exactly_one_clip(recording: tuple[list[TimeSpan], float, ClipLengths, list[float]]) -> None:
    speech, total, lengths, shares = recording
    asked = cycle(shares)
    clips = cut(speech, TimeSpan(0, total), lengths, lambda first, last: first + next(asked) * (last - first))

    edges = [edge for clip in clips for edge in clip]
    assert edges == sorted(edges) and all(0 <= edge <= total for edge in edges)
    assert all(clip.seconds <= lengths.longest + NEAR for clip in clips)
    held = sum(max(0.0, min(clip.end, each.end) - max(clip.start, each.start)) for clip in clips for each in speech)
    assert held == pytest.approx(sum(each.seconds for each in speech))
    for each in speech:
        if each.seconds <= lengths.longest - 2 * PADDING:
            assert not any(each.start < edge < each.end for edge in edges), "cut in the middle of a word"
    for clip, after in zip(clips, clips[1:], strict=False):
        if min(clip.seconds, after.seconds) < lengths.shortest - NEAR:
            said = max(min(each.end, clip.end) for each in speech if each.start < clip.end)
            goes_on = min(max(each.start, after.start) for each in speech if each.end > after.start)
            assert goes_on - said > MAX_INNER_PAUSE - NEAR or after.end - clip.start > lengths.longest - NEAR, (
                "a clip is too short, and could be joined"
            )


REFERENCES = [
    ("nothing said", [], 100, None),
    ("too short a stretch", [(0, 9)], 100, None),
    ("a fifth of the speech, at most", [(1, 13), (20, 60)], 61, None),
    ("the longest fluent one", [(1, 12), (15, 35), (40, 52), (60, 160)], 161, (14.8, 35.2)),
    ("fluent before long", [(1, 6), (6.9, 10), (10.9, 15), (40, 160), (163, 175)], 178, (162.8, 175.2)),
    ("not from the middle of speech", [(0, 11), (11.2, 40), (50, 150)], 151, None),
]


@pytest.mark.parametrize(
    ("speech", "total", "expected"), [case[1:] for case in REFERENCES], ids=[case[0] for case in REFERENCES]
)
def test_the_reference_is_long_and_fluent(
    speech: list[tuple[float, float]], total: float, expected: tuple[float, float] | None
) -> None:
    best = best_reference(spans(*speech), TimeSpan(0, total))
    assert (best and tuple(round(each, 6) for each in best)) == expected


@pytest.mark.parametrize(("shortest", "longest"), [(3, 3), (5, 2), (0, 4), (-1, 4), (0.2, 0.8), (float("nan"), 4)])
def test_impossible_bounds_are_refused(shortest: float, longest: float) -> None:
    with pytest.raises(InputError, match="--m"):
        ClipLengths(shortest, longest)
