"""What a pack must hold so that every draw of a search can take a seat in it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from spaces.draw import TARGETS, Draw
from spaces.space import Space


class PackShape(BaseModel):
    """The largest of everything that differs between seats, and what is the same for all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int
    """Every seat has room for this LoRA rank."""
    targets: tuple[str, ...]
    """Full-match patterns over module names; a module that matches any of them has room for LoRA."""
    text_projection: bool
    """Whether any seat trains it."""
    batch: int
    """Clips per seat in one forward pass. A step of more clips accumulates over several."""

    @classmethod
    def from_draw(cls, draw: Draw) -> PackShape:
        """A seat made to measure."""
        return cls(
            rank=draw.rank,
            targets=(draw.target_pattern,),
            text_projection=draw.text_projection_lr > 0,
            batch=draw.batch,
        )

    @classmethod
    def from_space(cls, space: Space) -> PackShape:
        """Seats for whatever the space may draw."""
        patterns = {
            TARGETS.get(targets, targets) for recipe in space.recipes.values() for targets in recipe.target_choices
        }
        return cls(
            rank=max(space.draw["rank"].boundary_values()),
            targets=tuple(sorted(patterns)),
            text_projection=max(space.draw["text_projection_lr"].boundary_values()) > 0,
            batch=min(space.draw["batch"].boundary_values())
            if "batch" in space.draw
            else Draw.model_fields["batch"].default,
        )
