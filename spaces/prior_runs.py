"""Published runs on other voices: where a search may begin, not trials of its own."""

from enum import StrEnum

from pydantic import Field

from spaces.draw import Objective
from spaces.frozen_model import FrozenModel


class ListeningResult(StrEnum):
    """How an adapter sounded to its listener."""

    GOOD = "good"
    UNDERTRAINED = "undertrained"
    """Clear, but not yet the voice: it needs more training."""
    OVERTRAINED = "overtrained"
    """Garbled or without an end: it needs less training."""


class PriorRun(FrozenModel):
    """One configuration that its author trained and listened to."""

    voice: str
    objective: Objective
    clips: int = Field(ge=1, description="clips of that voice in an epoch")
    epochs: float = Field(gt=0, description="epochs trained")
    lora_lr: float = Field(gt=0, le=1)
    rank: int = Field(ge=1, le=512)
    alpha_ratio: float = Field(gt=0, le=64)
    clips_per_step: int = Field(default=4, ge=1)
    start: float | None = Field(default=None, gt=0, description="the loss before the first step, where it is known")
    loss: float = Field(gt=0, description="the loss where training stopped")
    sounded: ListeningResult
    remark: str = ""
