"""A trial's loss curve, as the band judges it."""

from collections import deque
from collections.abc import Collection, Iterable, Sequence

from spaces.records.losses import Losses

FIRST_PASS_CLIPS = 32
"""The curve's point at step 0 is a pass without gradient over at most so many clips."""

ClipRow = tuple[float, ...]
"""One clip's losses in the order of the family's parts."""


class Curve:
    """The mean of the last N clip losses, N = clips of an epoch: at epoch ends the epoch's mean.

    Before N clips have been seen it is the mean so far. Each clip counts the same, whatever its length. Its loss is the
    one of its training pass, in training mode, with the weights of that step.
    """

    def __init__(self, parts: Sequence[str], clips: int, window: Iterable[ClipRow] = ()) -> None:
        """`parts` are the names of a row's losses, `clips` the number in an epoch."""
        self._parts = parts
        self._window: deque[ClipRow] = deque(window, maxlen=clips)

    def add(self, rows: Iterable[ClipRow]) -> None:
        self._window.extend(rows)

    @property
    def window(self) -> tuple[ClipRow, ...]:
        """The rows that the mean is over; a checkpoint keeps them so that a resumed curve goes on exactly."""
        return tuple(self._window)

    def mean(self) -> Losses:
        """Raises ValueError when no clip has been seen."""
        return mean_losses(self._parts, self._window)


def mean_losses(parts: Sequence[str], rows: Collection[ClipRow]) -> Losses:
    """The mean of each part over the clips. Raises ValueError when there are none."""
    if not rows:
        raise ValueError("a mean loss needs at least one clip, got none")
    means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    return Losses(dict(zip(parts, means, strict=True)))
