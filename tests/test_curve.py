"""The loss at any step is the mean of the last N clips'."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainable.curve import ClipRow, Curve
from trainable.schedule import clip_order, learning_rate_factor, steps_per_epoch


def clip(loss: float) -> ClipRow:
    return (loss, 2 * loss, loss, loss, loss, loss)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50), st.integers(1, 12))
def test_the_mean_is_over_the_last_clips(losses: list[float], clips: int) -> None:
    curve = Curve(clips)
    for loss in losses:
        curve.add([clip(loss)])
    last = losses[-clips:]
    assert curve.mean().guide == pytest.approx(sum(last) / len(last))
    assert curve.mean().aligned == pytest.approx(2 * sum(last) / len(last))


@given(st.lists(st.floats(0, 100), min_size=2, max_size=50), st.integers(1, 12), st.data())
def test_a_curve_goes_on_from_its_window(losses: list[float], clips: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(losses) - 1))
    whole, first = Curve(clips), Curve(clips)
    whole.add(map(clip, losses))
    first.add(map(clip, losses[:cut]))
    resumed = Curve(clips, first.window)
    resumed.add(map(clip, losses[cut:]))
    assert resumed.mean() == whole.mean()


def test_no_clip_has_no_mean() -> None:
    with pytest.raises(ValueError, match="at least one clip"):
        Curve(3).mean()


@given(st.integers(0, 1000), st.integers(0, 50), st.integers(1, 200))
def test_each_epoch_shows_every_clip_once(seed: int, epoch: int, clips: int) -> None:
    assert sorted(clip_order(seed, epoch, clips)) == list(range(clips))


def test_epochs_have_orders_of_their_own() -> None:
    orders = {tuple(clip_order(0, epoch, 20)) for epoch in range(10)}
    assert len(orders) == 10


@pytest.mark.parametrize(("clips", "per_step", "steps"), [(48, 4, 12), (49, 4, 13), (3, 4, 1), (1, 1, 1)])
def test_the_last_step_of_an_epoch_may_be_short(clips: int, per_step: int, steps: int) -> None:
    assert steps_per_epoch(clips, per_step) == steps


@pytest.mark.parametrize(
    ("step", "warmup", "factor"), [(0, 0, 1.0), (9, 0, 1.0), (0, 3, 0.25), (1, 3, 0.5), (3, 3, 1.0), (90, 3, 1.0)]
)
def test_warm_up(step: int, warmup: int, factor: float) -> None:
    assert learning_rate_factor(step, warmup) == factor
