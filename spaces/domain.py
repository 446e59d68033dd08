"""The domain of one field of a draw: an interval, a list of choices, or a fixed value."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_serializer, model_validator

from spaces.frozen_model import FrozenModel

Value = bool | int | float | str


class IntervalDomain(FrozenModel):
    """All numbers from low to high, both included; integers when both bounds are integers."""

    low: int | float
    high: int | float
    log: bool = Field(default=False, description="sample uniformly in the logarithm")

    @model_validator(mode="after")
    def _ordered(self) -> IntervalDomain:
        if not self.low < self.high:
            raise ValueError(f"an interval needs low < high, got low {self.low} and high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"an interval with log = true needs low > 0, got {self.low}")
        return self

    @property
    def is_integer(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def boundary_values(self) -> tuple[Value, ...]:
        """Values that must be valid for the field; if they are, the whole domain is."""
        return (self.low, self.high)

    def __contains__(self, value: Value) -> bool:
        if isinstance(value, (bool, str)):
            return False
        return self.low <= value <= self.high and (not self.is_integer or value == int(value))


class CategoricalDomain(FrozenModel):
    """One of several values. A list in TOML."""

    values: tuple[Value, ...]

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, data: Any) -> Any:
        return {"values": tuple(data)} if isinstance(data, (list, tuple)) else data

    @model_serializer
    def _to_list(self) -> list[Value]:
        return list(self.values)

    @model_validator(mode="after")
    def _not_empty(self) -> CategoricalDomain:
        if not self.values:
            raise ValueError("a choice needs at least one value, got []")
        if len(set(self.values)) != len(self.values):
            raise ValueError(f"a choice needs different values, got {list(self.values)}")
        return self

    def boundary_values(self) -> tuple[Value, ...]:
        return self.values

    def __contains__(self, value: Value) -> bool:
        return value in self.values


class FixedDomain(FrozenModel):
    """The same value in every trial. A plain value in TOML."""

    value: Value

    @model_validator(mode="before")
    @classmethod
    def _from_scalar(cls, data: Any) -> Any:
        return data if isinstance(data, dict) else {"value": data}

    @model_serializer
    def _to_scalar(self) -> Value:
        return self.value

    def boundary_values(self) -> tuple[Value, ...]:
        return (self.value,)

    def __contains__(self, value: Value) -> bool:
        return value == self.value


def _kind(data: Any) -> str:
    if isinstance(data, (IntervalDomain, dict)):
        return "interval"
    if isinstance(data, (CategoricalDomain, list, tuple)):
        return "choice"
    return "fixed"


Domain = Annotated[
    Annotated[IntervalDomain, Tag("interval")]
    | Annotated[CategoricalDomain, Tag("choice")]
    | Annotated[FixedDomain, Tag("fixed")],
    Discriminator(_kind),
]
