"""What a probe lets a voice say."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class LineKind(StrEnum):
    """What a line is for."""

    ORDINARY = "ordinary"
    """A sentence of prose."""
    PASSAGE = "passage"
    """Several hundred letters: whether voice and end hold for that long."""
    OWN = "own"
    """The transcript of a clip that nobody trains on, so that a person's recording of the same text exists."""
    NUMBER = "number"
    """Numbers, dates or abbreviations, written as words."""
    QUESTION = "question"
    """A question or an exclamation."""
    SHORT = "short"
    """A word or two: whether it ends."""
    HARD = "hard"
    """What people stumble over as well. It is spoken and told, and decides nothing."""


class Line(BaseModel):
    """One text that is spoken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    kind: LineKind

    @property
    def decides(self) -> bool:
        """Whether a verdict and a score count it."""
        return self.kind is not LineKind.HARD
