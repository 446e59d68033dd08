"""The shape of a pack: what its seats must hold so that every draw of a search fits in one."""

from __future__ import annotations

from spaces.draw import TARGETS, Draw
from spaces.frozen_model import FrozenModel
from spaces.space import Space


class PackShape(FrozenModel):
    """The largest value of everything that may differ between seats, and what all seats share."""

    rank: int
    """Largest LoRA rank of a seat."""
    targets: tuple[str, ...]
    """Full-match patterns over module names; every module that matches one of them has room for LoRA."""
    text_projection: bool
    """Whether any seat trains it."""
    batch: int
    """Clips per seat in one forward pass. A step of more clips accumulates over several passes."""

    @classmethod
    def from_draw(cls, draw: Draw) -> PackShape:
        """The smallest shape that holds this draw."""
        return cls(
            rank=draw.rank,
            targets=(draw.target_pattern,),
            text_projection=draw.text_projection_lr > 0,
            batch=draw.batch,
        )

    @classmethod
    def from_space(cls, space: Space) -> PackShape:
        """The smallest shape that holds every draw of a space."""
        patterns = {
            TARGETS.get(targets, targets) for recipe in space.recipes.values() for targets in recipe.target_choices
        }
        return cls(
            rank=int(space.bounds("rank")[1]),
            targets=tuple(sorted(patterns)),
            text_projection=space.bounds("text_projection_lr")[1] > 0,
            batch=int(space.bounds("batch")[0]),
        )
