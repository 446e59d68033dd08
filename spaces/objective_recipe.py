"""The section of a space about one objective: its band, and the fields of a draw that belong to it."""

from types import NoneType
from typing import Annotated, Any, ClassVar

from pydantic import Discriminator, Tag, field_validator

from spaces.band import AutoBand, Band
from spaces.frozen_model import FrozenModel


def _band_tag(data: Any) -> str:
    is_auto = isinstance(data, AutoBand) or (isinstance(data, dict) and "auto_within" in data)
    return "auto_band" if is_auto else "fixed_band"


_SomeBand = Annotated[Band, Tag("fixed_band")] | Annotated[AutoBand, Tag("auto_band")]
BandChoice = Annotated[_SomeBand, Discriminator(_band_tag)] | None
"""None where a trial is to train all its epochs; "none" in TOML."""


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
        if band == "none" or isinstance(band, (list, tuple, dict, Band, AutoBand, NoneType)):
            return None if band == "none" else band
        raise ValueError(
            "expected [low, high], { low = …, high = …, aim = [from, to] }, for a band that follows the probe's "
            f'verdicts {{ auto_within = [low, high] }}, or "none" to train all epochs, got {band!r}'
        )
