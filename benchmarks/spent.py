"""What a search has cost."""

from __future__ import annotations

from dataclasses import dataclass

PROBE_EPOCHS = 1.0
"""What a probe counts where epochs are counted: on thirty clips of the real model it takes about as long as one."""


@dataclass(frozen=True, order=True)
class Spent:
    """Epochs, each probe as PROBE_EPOCHS among them, and seconds, which count a probe as long as it took."""

    epochs: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.epochs + other.epochs, self.seconds + other.seconds)
