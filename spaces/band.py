"""The loss interval that a trial must end in."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, model_validator


class Band(BaseModel):
    """A closed interval of one objective's loss, in nats. A loss below `low` has overshot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Band:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and 0 < self.low < self.high):
            raise ValueError(f"expected 0 < low < high, got low {self.low} and high {self.high}")
        return self

    def __contains__(self, loss: float) -> bool:
        return self.low <= loss <= self.high

    def distance(self, loss: float) -> float:
        """How far a loss lies outside, in nats: negative or 0 inside, positive outside."""
        return max(self.low - loss, loss - self.high)

    def __str__(self) -> str:
        return f"{self.low:g}–{self.high:g}"
