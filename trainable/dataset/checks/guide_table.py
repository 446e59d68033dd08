"""The public guide's table: epochs and learning rate by number of clips.

The guide found it on datasets of about 30, 60 and 120 clips, with rank 64, alpha 128, batches of one clip and four
batches per optimizer step. A search finds its own values; the table says where to expect them.
"""

import math
from dataclasses import dataclass

import numpy as np

TABLE = ((30, 10, 15, 5e-6), (60, 5, 8, 3e-6), (120, 3, 3, 2e-6))
"""Clips, fewest epochs, most epochs, learning rate."""
PASSES = (250, 400)
"""Clips × epochs that the guide aims at. Its own table goes up to 480."""
TOO_MANY_PASSES = 600
"""With more, says the guide, a voice is over-trained."""
MAX_CLIPS = 150
"""The guide does not cover larger datasets: 400 passes would not reach half of 1,000 clips."""


@dataclass(frozen=True)
class GuideAdvice:
    """The guide's advice for one size of dataset."""

    clips: int
    epochs: tuple[int, int]
    learning_rate: float
    passes: tuple[int, int]


def advise(clips: int) -> GuideAdvice | None:
    """Epochs and learning rate, interpolated log-linearly between the rows of the table.

    Outside the table the epochs follow from `PASSES`, and the learning rate is that of the nearest row. None without a
    clip and for more than 150.
    """
    if not 1 <= clips <= MAX_CLIPS:
        return None
    rate = math.exp(_interpolate(clips, [math.log(row[3]) for row in TABLE]))
    if TABLE[0][0] <= clips <= TABLE[-1][0]:
        low, high = (round(math.exp(_interpolate(clips, [math.log(row[place]) for row in TABLE]))) for place in (1, 2))
    else:
        low, high = math.ceil(PASSES[0] / clips), math.floor(PASSES[1] / clips)
    return GuideAdvice(clips, (low, high), float(f"{rate:.1e}"), (low * clips, high * clips))


def _interpolate(clips: int, values: list[float]) -> float:
    """Linear in the logarithm of the number of clips, constant outside the table."""
    return float(np.interp(math.log(clips), [math.log(row[0]) for row in TABLE], values))
