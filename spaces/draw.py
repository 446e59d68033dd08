"""One point of a space: what one trial trains."""

from __future__ import annotations

import re
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Objective(StrEnum):
    """What is descended and how it is counted.

    `guide` is the loss of the public LoRA guide to the digit: talker cross-entropy without EOS + 0.3 × the sub-talker
    loss that qwen-tts returns (its head k is scored on codebook k + 2). `aligned` labels EOS and scores head k on
    codebook k + 1. A band belongs to one objective.
    """

    GUIDE = "guide"
    ALIGNED = "aligned"


TARGETS = {
    "attention": r"model\.layers\.\d+\.self_attn\.(q|k|v|o)_proj",
    "linear": r"model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)",
    "all-linear": r"(code_predictor\.)?model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)",
    "guide": r".*\.(q|k|v|o)_proj",
}
"""LoRA targets by name, as full-match patterns over the talker's module names. `attention` and `linear` leave the code
predictor alone, `all-linear` adapts it too; `guide` is attention in both, as suffix-named targets have it."""


SUB_WEIGHT = 0.3
"""Weight of the sub-talker's loss in both objectives, from the official trainer."""


class Schedule(StrEnum):
    """How the learning rates go on after warm-up."""

    CONSTANT = "constant"
    COSINE = "cosine"
    """One or more half waves of a cosine over the run's horizon, down to the floor; each but the first begins with a
    warm restart (SGDR, Loshchilov and Hutter 2017)."""


class Curriculum(StrEnum):
    """What comes first within an epoch, during the first third of a run's epochs. Every clip comes in every epoch, so
    that a curve's means are over the same clips throughout."""

    NONE = "none"
    LENGTH = "length"
    """Short clips before long ones."""
    SOURCE = "source"
    """The clips of the first `--data` before those of the second, and so on."""


class Draw(BaseModel):
    """What one trial trains. Each field may be fixed by a space or searched over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: Objective
    rank: int = Field(ge=1, le=512, description="LoRA rank r")
    alpha_ratio: float = Field(gt=0, le=64, description="alpha / r")
    lora_lr: float = Field(gt=0, le=1, description="AdamW learning rate of the LoRA weights")
    text_projection_lr: float = Field(ge=0, le=1, description="learning rate of text_projection; 0 freezes it")
    epochs: int = Field(ge=1, le=1000, description="the cap of a run and the horizon of its schedule")
    targets: str = Field(description=f"one of {', '.join(TARGETS)}, or a regular expression over module names")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="LoRA dropout")
    batch: int = Field(default=1, ge=1, le=1024, description="clips in one forward pass")
    accumulation: int = Field(default=4, ge=1, le=1024, description="forward passes per optimizer step")
    warmup: int = Field(default=0, ge=0, description="optimizer steps of linear warm-up")
    schedule: Schedule = Field(default=Schedule.CONSTANT, description="constant, or cosine")
    lr_floor: float = Field(default=0.0, ge=0, le=1, description="lowest factor of the learning rates in a cosine")
    lr_cycles: int = Field(default=1, ge=1, le=100, description="half waves of the cosine; more than 1 restart warm")
    sub_weight: float = Field(default=SUB_WEIGHT, ge=0, le=10, description="weight of the sub-talker loss in training")
    sub_frames: float = Field(default=1.0, gt=0, le=1, description="share of frames the sub-talker is trained on")
    curriculum: Curriculum = Field(default=Curriculum.NONE, description="none, length or source: what comes first")
    augmented: float = Field(default=0.0, ge=0, le=1, description="how often a changed copy takes a clip's place")
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    clip_norm: float = Field(default=1.0, gt=0, description="joint gradient norm over LoRA and text_projection")

    @field_validator("targets")
    @classmethod
    def _pattern_compiles(cls, targets: str) -> str:
        try:
            re.compile(TARGETS.get(targets, targets))
        except re.error as error:
            raise ValueError(
                f"expected one of {', '.join(TARGETS)} or a regular expression, got {targets!r} ({error})"
            ) from None
        return targets

    @property
    def alpha(self) -> int:
        """lora_alpha as PEFT stores it: a whole number, at least 1."""
        return max(1, round(self.rank * self.alpha_ratio))

    @property
    def target_pattern(self) -> str:
        return TARGETS.get(self.targets, self.targets)

    @property
    def clips_per_step(self) -> int:
        return self.batch * self.accumulation

    def describe(self) -> str:
        """One line for tables and logs: what always differs, and of the rest what is not as usual."""
        usual = Draw.model_fields
        rest = [
            f", {name.replace('_', ' ')} {getattr(self, name)}"
            for name in ("schedule", "sub_weight", "sub_frames", "curriculum", "augmented")
            if getattr(self, name) != usual[name].default
        ]
        return (
            f"{self.objective} r{self.rank} α/r {self.alpha_ratio:g} lr {self.lora_lr:.1e} "
            f"tp {self.text_projection_lr:.1e} ≤{self.epochs} epochs{''.join(rest)}"
        )
