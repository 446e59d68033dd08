"""What became of runs on other voices: no trials of this one, but where to begin."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from spaces.draw import Objective


class ListeningResult(StrEnum):
    """How an adapter sounded to whoever listened."""

    GOOD = "good"
    UNDERTRAINED = "undertrained"
    """Clear, and not yet the voice: more training would mend it."""
    OVERTRAINED = "overtrained"
    """Garbled or without an end: less training would mend it."""


class PriorRun(BaseModel):
    """One configuration that somebody trained and listened to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    voice: str
    objective: Objective
    clips: int = Field(ge=1, description="clips of that voice in an epoch")
    epochs: float = Field(gt=0, description="passes over them")
    lora_lr: float = Field(gt=0, le=1)
    rank: int = Field(ge=1, le=512)
    alpha_ratio: float = Field(gt=0, le=64)
    clips_per_step: int = Field(default=4, ge=1)
    start: float | None = Field(default=None, gt=0, description="the loss before the first step, where it is known")
    loss: float = Field(gt=0, description="where it was stopped")
    sounded: ListeningResult
    remark: str = ""
