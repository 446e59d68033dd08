"""The loss interval that a trial must end in."""

from __future__ import annotations

import math
from typing import Any

from pydantic import model_validator

from spaces.frozen_model import FrozenModel


class Band(FrozenModel):
    """A closed interval of one objective's loss, in nats. A loss below `low` has overshot.

    `aim` is the part of the band that a trial should end in, by default the upper half: a curve comes from above, the
    same settings may end a little lower another time, and a loss below the band means garbled speech where a loss above
    it only means a faint likeness. The public guide's band is 4.1–4.2, and it advises to aim at 4.15–4.2.
    """

    low: float
    high: float
    aim: tuple[float, float] = (math.nan, math.nan)
    """[from, to] within the band; set by `_from_pair` where it is not given."""

    @model_validator(mode="before")
    @classmethod
    def _from_pair(cls, data: Any) -> Any:
        """Accepts a pair [low, high], as TOML files give it."""
        if isinstance(data, (list, tuple)):
            if len(data) != 2:
                raise ValueError(f"expected two losses, [low, high], got {list(data)}")
            data = {"low": data[0], "high": data[1]}
        if isinstance(data, dict) and data.get("aim") is None:
            low, high = data.get("low"), data.get("high")
            if isinstance(low, (int, float)) and isinstance(high, (int, float)):
                data = {**data, "aim": ((low + high) / 2, high)}
        return data

    @model_validator(mode="after")
    def _ordered(self) -> Band:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and 0 < self.low < self.high):
            raise ValueError(f"expected 0 < low < high, got low {self.low} and high {self.high}")
        if not self.low <= self.aim[0] < self.aim[1] <= self.high:
            raise ValueError(f"expected an aim [from, to] within {self}, got {list(self.aim)}")
        return self

    def __contains__(self, loss: float) -> bool:
        return self.low <= loss <= self.high

    def distance(self, loss: float) -> float:
        """How far a loss lies outside, in nats: positive outside, 0 or negative inside."""
        return max(self.low - loss, loss - self.high)

    def __str__(self) -> str:
        return f"{self.low:.4g}–{self.high:.4g}"


class BandShares(Band):
    """A band whose bounds and aim are shares of the base model's loss on the voice, measured before the first trial."""

    @model_validator(mode="after")
    def _are_shares(self) -> BandShares:
        if self.high > 1:
            raise ValueError(f"expected shares of the base model's loss, at most 1, got {self}")
        return self

    def times(self, base: float) -> Band:
        """The band where the base model's loss is `base`, in nats."""
        aim = (self.aim[0] * base, self.aim[1] * base)
        return Band(low=self.low * base, high=self.high * base, aim=aim)


class AutoBand(FrozenModel):
    """A band that moves to where adapters are accepted, within a wide interval."""

    auto_within: Band


class RelativeBand(FrozenModel):
    """The same, within an interval that is given as shares of the base model's loss."""

    of_base: BandShares


class ReplaceableBand(Band):
    """A fixed band for voices that begin above it. For others a moving band of these shares takes its place."""

    or_of_base: BandShares


def resolve_band(band: Band | AutoBand | RelativeBand | None, base: float | None) -> Band | AutoBand | None:
    """The band in nats where the base model's loss of its objective is `base`.

    Where that is unknown, a replaceable band stays as it is, and shares give None.
    """
    if isinstance(band, RelativeBand):
        return AutoBand(auto_within=band.of_base.times(base)) if base is not None else None
    if isinstance(band, ReplaceableBand):
        if base is not None and base <= band.high:
            return AutoBand(auto_within=band.or_of_base.times(base))
        return Band(low=band.low, high=band.high, aim=band.aim)
    return band
