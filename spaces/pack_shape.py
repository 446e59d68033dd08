"""The shape of a pack: what its seats must hold so that every draw of a search fits in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from spaces.draw import Draw
from spaces.frozen_model import FrozenModel

if TYPE_CHECKING:
    from spaces.space import Space


class PackShape(FrozenModel):
    """The largest value of everything that may differ between seats, and what all seats share.

    A family has a subclass where its packs depend on more than the batch.
    """

    batch: int
    """Clips per seat in one forward pass. A step of more clips accumulates over several passes."""

    @classmethod
    def from_draw(cls, draw: Draw) -> Self:
        """The smallest shape that holds this draw."""
        return cls(batch=draw.batch)

    @classmethod
    def from_space(cls, space: Space) -> Self:
        """The smallest shape that holds every draw of a space."""
        return cls(batch=int(space.bounds("batch")[0]))
