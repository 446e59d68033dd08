"""A trial's losses so far, as the band is judged by them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from spaces.trial import Losses

FIRST_PASS_CLIPS = 32
"""The curve's point at step 0 is a pass without gradient over at most so many clips."""


class Curve:
    """The mean of the last N clip losses, N = clips in the dataset: at epoch ends the epoch's mean.

    Before N clips have been seen it is the mean so far. Each clip counts the same, whatever its length, and each is
    counted as it was when it was trained on, in training mode, while the weights move.
    """

    def __init__(self, clips: int, window: Iterable[Losses] = ()) -> None:
        self._window: deque[Losses] = deque(window, maxlen=clips)

    def add(self, losses: Iterable[Losses]) -> None:
        self._window.extend(losses)

    @property
    def window(self) -> tuple[Losses, ...]:
        """What a checkpoint keeps, so that a resumed curve goes on exactly."""
        return tuple(self._window)

    def mean(self) -> Losses:
        """Raises ValueError when no clip has been seen."""
        return mean_losses(self._window)


def mean_losses(losses: Iterable[Losses]) -> Losses:
    """The mean of each part over clips. Raises ValueError when there are none."""
    rows = [tuple(clip.model_dump().values()) for clip in losses]
    if not rows:
        raise ValueError("a mean loss needs at least one clip, got none")
    means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    return Losses(**dict(zip(Losses.model_fields, means, strict=True)))
