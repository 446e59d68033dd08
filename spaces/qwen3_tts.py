"""What the Qwen3-TTS family adds to a space: its draw, its losses, its packs and its prior runs."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from spaces.draw import Draw
from spaces.export_layout import ExportLayout
from spaces.objective_recipe import BandChoice, ObjectiveRecipe
from spaces.pack_shape import PackShape
from spaces.prior_runs import PriorRun, Slope

if TYPE_CHECKING:
    from spaces.space import Space


class Objective(StrEnum):
    """The loss that a trial minimises. A band belongs to one objective.

    `guide` is exactly the loss of the public LoRA guide: talker cross-entropy without EOS + 0.3 × the sub-talker loss
    that qwen-tts returns, which scores head k on codebook k + 2. `aligned` labels EOS and scores head k on codebook
    k + 1.
    """

    GUIDE = "guide"
    ALIGNED = "aligned"


class QwenLayout(ExportLayout):
    """Layouts of an exported adapter or checkpoint."""

    PEFT = "peft", "a LoRA adapter for {base}", "peft"
    """An adapter for plain PEFT, with text_projection inside."""
    ALEXANDRIA = "alexandria", "a LoRA adapter for {base}, in Alexandria's layout", "peft", True
    """The same in the layout of Alexandria's voices, with a reference recording and its transcript."""
    KATHRINE = "kathrine", "a LoRA adapter for {base}, with `text_projection.bin`", "peft"
    """An adapter of the inner transformer alone, with `text_projection.bin` beside it."""
    MERGED = "merged", "a LoRA merged into {base}"
    """A complete checkpoint that clones a voice from a recording, as the base model does."""
    CUSTOM_VOICE = "custom_voice", "{base} with this voice by name"
    """A complete checkpoint that knows the voice by name, as the published CustomVoice models do."""


LOSSES = {
    "guide": "talker cross-entropy without EOS + 0.3 × sub_shifted",
    "aligned": "talker cross-entropy with EOS + 0.3 × sub",
    "talker": "codebook 0 without EOS",
    "eos": "the label after the last frame",
    "sub": "codebooks 1–15, each scored on its own head",
    "sub_shifted": "the same logits as qwen-tts scores them: head k on codebook k + 2",
}
"""The parts of a loss, in nats per label."""

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


class QwenDraw(Draw):
    """Hyperparameters of one LoRA."""

    objective: Objective
    rank: int = Field(ge=1, le=512, description="LoRA rank r")
    alpha_ratio: float = Field(gt=0, le=64, description="alpha / r")
    lora_lr: float = Field(gt=0, le=1, description="AdamW learning rate of the LoRA weights")
    text_projection_lr: float = Field(ge=0, le=1, description="learning rate of text_projection; 0 freezes it")
    targets: str = Field(description=f"one of {', '.join(TARGETS)}, or a regular expression over module names")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="LoRA dropout")
    sub_weight: float = Field(default=SUB_WEIGHT, ge=0, le=10, description="weight of the sub-talker loss in training")
    sub_frames: float = Field(default=1.0, gt=0, le=1, description="share of frames that train the sub-talker")

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

    def describe(self) -> str:
        return super().describe() + self._differing("sub_weight", "sub_frames")

    def _settings(self) -> str:
        return f"r{self.rank} α/r {self.alpha_ratio:g} lr {self.lora_lr:.1e} tp {self.text_projection_lr:.1e}"


class QwenRecipe(ObjectiveRecipe):
    """The band of one objective, and which modules its LoRA adapts."""

    draw_fields: ClassVar[tuple[str, ...]] = ("targets",)

    band: BandChoice
    targets: str | tuple[str, ...]
    """One choice, or several to search."""

    @field_validator("targets")
    @classmethod
    def _are_different(cls, targets: str | tuple[str, ...]) -> str | tuple[str, ...]:
        choices = (targets,) if isinstance(targets, str) else targets
        if not all(choices) or not 0 < len(choices) == len(set(choices)):
            raise ValueError(f"expected one choice of targets, or a list of different ones, got {targets!r}")
        return targets


class QwenPackShape(PackShape):
    """The largest LoRA of a pack."""

    rank: int
    """Largest LoRA rank of a seat."""
    targets: tuple[str, ...]
    """Full-match patterns over module names; every module that matches one of them has room for LoRA."""
    text_projection: bool
    """Whether any seat trains it."""

    @classmethod
    def from_draw(cls, draw: Draw) -> QwenPackShape:
        assert isinstance(draw, QwenDraw)
        return cls(
            batch=draw.batch,
            rank=draw.rank,
            targets=(draw.target_pattern,),
            text_projection=draw.text_projection_lr > 0,
        )

    @classmethod
    def from_space(cls, space: Space) -> QwenPackShape:
        choices = {choice for recipe in space.recipes.values() for choice in recipe.choices["targets"]}
        return cls(
            batch=int(space.bounds("batch")[0]),
            rank=int(space.bounds("rank")[1]),
            targets=tuple(sorted({TARGETS.get(choice, choice) for choice in choices})),
            text_projection=space.bounds("text_projection_lr")[1] > 0,
        )


class QwenPriorRun(PriorRun):
    """A LoRA that its author trained and listened to."""

    objective: Objective
    lora_lr: float = Field(gt=0, le=1)
    rank: int = Field(ge=1, le=512)
    alpha_ratio: float = Field(gt=0, le=64)


SLOPES = {
    "lora_lr": Slope(centre=1e-5, mean=-1.0, deviation=0.3),
    "alpha_ratio": Slope(centre=2, mean=-0.8, deviation=0.4),
    "rank": Slope(centre=32, mean=-0.4, deviation=0.4),
}
"""Twice the learning rate needs half the steps, and so, less surely, does twice α/r. At equal α/r a higher rank is
slightly faster: the best rate hardly depends on rank at equal α (LoRA Without Regret, Schulman 2025)."""
