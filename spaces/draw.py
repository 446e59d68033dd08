"""A draw: one point of a space, the hyperparameters of one trial."""

import re
from enum import StrEnum

from pydantic import Field, field_validator

from spaces.frozen_model import FrozenModel


class Objective(StrEnum):
    """The loss that a trial minimises. A band belongs to one objective.

    `guide` is exactly the loss of the public LoRA guide: talker cross-entropy without EOS + 0.3 × the sub-talker loss
    that qwen-tts returns, which scores head k on codebook k + 2. `aligned` labels EOS and scores head k on codebook
    k + 1.
    """

    GUIDE = "guide"
    ALIGNED = "aligned"


TARGETS = {
    "attention": r"model\.layers\.\d+\.self_attn\.(q|k|v|o)_proj",
    "linear": r"model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)",
    "all-linear": r"(code_predictor\.)?model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)",
    "guide": r".*\.(q|k|v|o)_proj",
}
"""Named LoRA targets, as full-match patterns over the talker's module names. `attention` and `linear` adapt the talker
only, `all-linear` the code predictor too; `guide` is attention in both, as PEFT's suffix matching yields it."""

SUB_WEIGHT = 0.3
"""Weight of the sub-talker loss in both objectives, from the official trainer."""


class Schedule(StrEnum):
    """Learning rate schedule after warm-up."""

    CONSTANT = "constant"
    COSINE = "cosine"
    """One or more half cosines over the run's epochs, down to the floor, with warm restarts between them (SGDR,
    Loshchilov and Hutter 2017)."""


class Curriculum(StrEnum):
    """Order of the clips within an epoch, during the first third of a run's epochs. Every epoch has all clips, so that
    the means of a curve are over the same clips throughout."""

    NONE = "none"
    LENGTH = "length"
    """Short clips before long ones."""
    SOURCE = "source"
    """Clips of the first `--data` before those of the second, and so on."""


class Draw(FrozenModel):
    """Hyperparameters of one trial. A space fixes or searches each field."""

    objective: Objective
    rank: int = Field(ge=1, le=512, description="LoRA rank r")
    alpha_ratio: float = Field(gt=0, le=64, description="alpha / r")
    lora_lr: float = Field(gt=0, le=1, description="AdamW learning rate of the LoRA weights")
    text_projection_lr: float = Field(ge=0, le=1, description="learning rate of text_projection; 0 freezes it")
    epochs: int = Field(ge=1, le=1000, description="most epochs of a run, and the horizon of its schedule")
    targets: str = Field(description=f"one of {', '.join(TARGETS)}, or a regular expression over module names")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="LoRA dropout")
    batch: int = Field(default=1, ge=1, le=1024, description="clips in one forward pass")
    accumulation: int = Field(default=4, ge=1, le=1024, description="forward passes per optimizer step")
    warmup: int = Field(default=0, ge=0, description="optimizer steps of linear warm-up")
    schedule: Schedule = Field(default=Schedule.CONSTANT, description="constant or cosine")
    lr_floor: float = Field(default=0.0, ge=0, le=1, description="lowest learning rate factor of the cosine")
    lr_cycles: int = Field(default=1, ge=1, le=100, description="half cosines; warm restarts where more than 1")
    sub_weight: float = Field(default=SUB_WEIGHT, ge=0, le=10, description="weight of the sub-talker loss in training")
    sub_frames: float = Field(default=1.0, gt=0, le=1, description="share of frames that train the sub-talker")
    curriculum: Curriculum = Field(default=Curriculum.NONE, description="none, length or source")
    augmented: float = Field(default=0.0, ge=0, le=1, description="probability of an augmented copy in place of a clip")
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
        """`lora_alpha` as PEFT stores it: an integer, at least 1."""
        return max(1, round(self.rank * self.alpha_ratio))

    @property
    def target_pattern(self) -> str:
        return TARGETS.get(self.targets, self.targets)

    @property
    def clips_per_step(self) -> int:
        return self.batch * self.accumulation

    def describe(self) -> str:
        """One line for tables and logs: the usual hyperparameters, and others that differ from their defaults."""
        rest = [
            f", {name.replace('_', ' ')} {getattr(self, name)}"
            for name in ("schedule", "sub_weight", "sub_frames", "curriculum", "augmented")
            if getattr(self, name) != Draw.model_fields[name].default
        ]
        return (
            f"{self.objective} r{self.rank} α/r {self.alpha_ratio:g} lr {self.lora_lr:.1e} "
            f"tp {self.text_projection_lr:.1e} ≤{self.epochs} epochs{''.join(rest)}"
        )
