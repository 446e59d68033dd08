"""The loss at any step is the mean of the last N clip losses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainable.stopping.curve import ClipRow, Curve

PARTS = ("total", "other")


def clip(loss: float) -> ClipRow:
    return (loss, 2 * loss)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50), st.integers(1, 12))
def test_the_mean_is_over_the_last_clips(losses: list[float], clips: int) -> None:
    curve = Curve(PARTS, clips)
    for loss in losses:
        curve.add([clip(loss)])
    last = losses[-clips:]
    assert curve.mean()["total"] == pytest.approx(sum(last) / len(last))
    assert curve.mean()["other"] == pytest.approx(2 * sum(last) / len(last))


@given(st.lists(st.floats(0, 100), min_size=2, max_size=50), st.integers(1, 12), st.data())
def test_a_curve_resumes_from_its_window(losses: list[float], clips: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(losses) - 1))
    whole, first = Curve(PARTS, clips), Curve(PARTS, clips)
    whole.add(map(clip, losses))
    first.add(map(clip, losses[:cut]))
    resumed = Curve(PARTS, clips, first.window)
    resumed.add(map(clip, losses[cut:]))
    assert resumed.mean() == whole.mean()


def test_no_clip_has_no_mean() -> None:
    with pytest.raises(ValueError, match="at least one clip"):
        Curve(PARTS, 3).mean()
