"""The base of the project's pydantic models."""

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """Immutable. A field that it does not know is an error, so that a typo in a file is found."""

    model_config = ConfigDict(frozen=True, extra="forbid")
