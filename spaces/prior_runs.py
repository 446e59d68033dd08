"""Published runs on other voices: where a search may begin, not trials of its own."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from pydantic import Field

from spaces.frozen_model import FrozenModel


class ListeningResult(StrEnum):
    """How an adapter sounded to its listener."""

    GOOD = "good"
    UNDERTRAINED = "undertrained"
    """Clear, but not yet the voice: it needs more training."""
    OVERTRAINED = "overtrained"
    """Garbled or without an end: it needs less training."""


class PriorRun(FrozenModel):
    """One configuration that its author trained and listened to.

    A family has a subclass with those fields of its draw on which the number of steps to a loss depends.
    """

    voice: str
    objective: str
    clips: int = Field(ge=1, description="clips of that voice in an epoch")
    epochs: float = Field(gt=0, description="epochs trained")
    clips_per_step: int = Field(default=4, ge=1)
    start: float | None = Field(default=None, gt=0, description="the loss before the first step, where it is known")
    loss: float = Field(gt=0, description="the loss where training stopped")
    sounded: ListeningResult
    remark: str = ""

    def scaled(self, start: float) -> Self:
        """The same run on a voice that begins at this loss. Raises ValueError where its own start is unknown."""
        if self.start is None:
            raise ValueError(f"expected a prior run with its start, got {self}")
        return self.model_copy(update={"start": start, "loss": self.loss * start / self.start})


@dataclass(frozen=True)
class Slope:
    """How log(optimizer steps to a given loss) depends on the logarithm of a hyperparameter: the prior of the
    coefficient."""

    centre: float
    """A usual value of the hyperparameter."""
    mean: float
    deviation: float
