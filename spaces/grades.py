"""What a space calls the least that will do, what is aimed at, and what is excellent."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Grade(StrEnum):
    BELOW = "below the minimum"
    MINIMUM = "minimum"
    TARGET = "target"
    EXCELLENT = "excellent"


class Scale(BaseModel):
    """Three bounds of one measure, from the least to the best; where they fall, lower is better."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minimum: float
    target: float
    excellent: float

    @model_validator(mode="before")
    @classmethod
    def _from_three(cls, bounds: Any) -> Any:
        if isinstance(bounds, list) and len(bounds) == 3:
            return dict(zip(("minimum", "target", "excellent"), bounds, strict=True))
        return bounds

    @model_validator(mode="after")
    def _ordered(self) -> Scale:
        bounds = (self.minimum, self.target, self.excellent)
        if not all(map(math.isfinite, bounds)) or not (
            bounds[0] < bounds[1] < bounds[2] or bounds[0] > bounds[1] > bounds[2]
        ):
            raise ValueError(f"expected [minimum, target, excellent] that rise or fall, got {list(bounds)}")
        return self

    def grade(self, value: float) -> Grade:
        """A value at a bound has reached it."""
        sign = 1 if self.excellent > self.minimum else -1
        reached = Grade.BELOW
        for bound, grade in zip((self.minimum, self.target, self.excellent), list(Grade)[1:], strict=True):
            if sign * value >= sign * bound:
                reached = grade
        return reached


class Grades(BaseModel):
    """Scales by measure; what has none is not graded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    loss: Scale | None = Field(default=None, description="of the objective that is descended, at the probed checkpoint")
    validation_loss: Scale | None = Field(default=None, description="the same over the held-out clips")
    mos: Scale | None = Field(
        default=None, description="DNSMOS, overall, 1 to 5, mean of the lines: a network's opinion, nobody was asked"
    )
    wer: Scale | None = Field(
        default=None, description="word errors of what the recogniser heard over the words of the lines, as a share"
    )
    similarity: Scale | None = Field(
        default=None, description="cosine to the voice by the model's own speaker encoder, median of joined lines"
    )
