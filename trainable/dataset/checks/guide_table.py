"""The public guide's table: how long to train on so many clips, and at which learning rate.

It was found on three datasets of about 30, 60 and 120 clips, for an adapter of rank 64 and alpha 128, batches of one
clip and four of them per optimizer step. A search finds its own values; these say where to expect them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

TABLE = ((30, 10, 15, 5e-6), (60, 5, 8, 3e-6), (120, 3, 3, 2e-6))
"""Clips, fewest epochs, most epochs, learning rate."""
PASSES = (250, 400)
"""Clips × epochs that the guide aims at. Its own table goes up to 480."""
TOO_MANY_PASSES = 600
"""Beyond it a voice is over-trained, says the guide."""
MOST_CLIPS = 150
"""The guide knows nothing of larger datasets: 400 passes over 1,000 clips would not see half of them."""


@dataclass(frozen=True)
class GuideAdvice:
    """What the guide's table says of one size of dataset."""

    clips: int
    epochs: tuple[int, int]
    learning_rate: float
    passes: tuple[int, int]


def advise(clips: int) -> GuideAdvice | None:
    """Between the rows of the table epochs and learning rate are interpolated, all in logarithms.

    Outside of them the epochs follow from the passes, and the learning rate is the nearest row's. None for no clip and
    for more than 150.
    """
    if not 1 <= clips <= MOST_CLIPS:
        return None
    rate = math.exp(_between(clips, [math.log(row[3]) for row in TABLE]))
    if TABLE[0][0] <= clips <= TABLE[-1][0]:
        low, high = (round(math.exp(_between(clips, [math.log(row[place]) for row in TABLE]))) for place in (1, 2))
    else:
        low, high = math.ceil(PASSES[0] / clips), math.floor(PASSES[1] / clips)
    return GuideAdvice(clips, (low, high), float(f"{rate:.1e}"), (low * clips, high * clips))


def _between(clips: int, values: list[float]) -> float:
    """Linear in the logarithm of clips, constant outside of the table."""
    places = [math.log(row[0]) for row in TABLE]
    at = min(max(math.log(clips), places[0]), places[-1])
    right = next(place for place in range(1, len(places)) if at <= places[place])
    share = (at - places[right - 1]) / (places[right] - places[right - 1])
    return values[right - 1] + share * (values[right] - values[right - 1])
