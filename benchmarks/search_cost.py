"""The cost of a search, in epochs and seconds."""

from __future__ import annotations

from dataclasses import dataclass

PROBE_EPOCHS = 1.0
"""Cost of a probe in epochs: with thirty clips of the real model it takes about as long as one epoch."""


@dataclass(frozen=True, order=True)
class SearchCost:
    """Epochs, counting each probe as PROBE_EPOCHS, and seconds, including probes."""

    epochs: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: SearchCost) -> SearchCost:
        return SearchCost(self.epochs + other.epochs, self.seconds + other.seconds)
