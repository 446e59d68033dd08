"""Grades of measures: the bounds that a space calls minimum, target and excellent."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

from pydantic import Field, model_validator

from spaces.frozen_model import FrozenModel


class Grade(StrEnum):
    BELOW = "below the minimum"
    MINIMUM = "minimum"
    TARGET = "target"
    EXCELLENT = "excellent"


class Scale(FrozenModel):
    """Three bounds of one measure. Lower is better where they fall."""

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
        """The best bound that the value has reached; equality counts."""
        sign = 1 if self.excellent > self.minimum else -1
        reached = Grade.BELOW
        for bound, grade in zip((self.minimum, self.target, self.excellent), list(Grade)[1:], strict=True):
            if sign * value >= sign * bound:
                reached = grade
        return reached


class Grades(FrozenModel):
    """Scales by measure; a measure without one is not graded."""

    loss: Scale | None = Field(default=None, description="loss of the trial's objective at the probed checkpoint")
    validation_loss: Scale | None = Field(default=None, description="the same loss over the held-out clips")
    mos: Scale | None = Field(
        default=None,
        description="DNSMOS, overall, 1 to 5, mean of the lines: a network's estimate",
    )
    wer: Scale | None = Field(
        default=None, description="word error rate of the recogniser's transcripts over all lines, a fraction"
    )
    similarity: Scale | None = Field(
        default=None, description="cosine to the voice by the model's own speaker encoder, median over joined lines"
    )
