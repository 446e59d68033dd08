"""The section of a space about one objective: its band, and the fields of a draw that belong to it."""

from types import NoneType
from typing import Annotated, Any, ClassVar

from pydantic import Discriminator, Tag, TypeAdapter, field_validator

from spaces.band import AutoBand, Band, RelativeBand, ReplaceableBand
from spaces.frozen_model import FrozenModel


def _band_tag(data: Any) -> str:
    keys = data if isinstance(data, dict) else ()
    if isinstance(data, AutoBand) or "auto_within" in keys:
        return "auto_band"
    if isinstance(data, RelativeBand) or "of_base" in keys:
        return "relative_band"
    if isinstance(data, ReplaceableBand) or "or_of_base" in keys:
        return "replaceable_band"
    return "fixed_band"


_SomeBand = (
    Annotated[Band, Tag("fixed_band")]
    | Annotated[AutoBand, Tag("auto_band")]
    | Annotated[RelativeBand, Tag("relative_band")]
    | Annotated[ReplaceableBand, Tag("replaceable_band")]
)
BandChoice = Annotated[_SomeBand, Discriminator(_band_tag)] | None
"""None where a trial is to train all its epochs; "none" in TOML."""

band_choices: TypeAdapter[BandChoice] = TypeAdapter(BandChoice)
"""Reads the band of a recorded space."""


class ObjectiveRecipe(FrozenModel):
    """The band of one objective. A family has a subclass where fields of its draw depend on the objective."""

    draw_fields: ClassVar[tuple[str, ...]] = ()
    """Fields of the draw that are given here, each as one choice or as several to search."""

    band: BandChoice = None

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """The choices of each of these fields."""
        values = {name: getattr(self, name) for name in self.draw_fields}
        return {name: value if isinstance(value, tuple) else (value,) for name, value in values.items()}

    @field_validator("band", mode="before")
    @classmethod
    def _has_a_known_form(cls, band: Any) -> Any:
        if band == "none" or isinstance(band, (list, tuple, dict, Band, AutoBand, RelativeBand, NoneType)):
            return None if band == "none" else band
        raise ValueError(
            "expected [low, high], { low = …, high = …, aim = [from, to] }, for a band that follows the probe's "
            "verdicts { of_base = [low, high] } in shares of the base model's loss or { auto_within = [low, high] }, "
            f'or "none" to train all epochs, got {band!r}'
        )
