"""What is heard of a finalist besides its verdict: weaker doses of it, many more lines, and two ways of speaking."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict

from spaces.records.paired import paired_comparison
from spaces.records.verdict import Verdict

STRENGTHS = (0.3, 0.5, 0.7)
"""Of the LoRA's output, beside 1: an adapter that overdoes it may be at its best at half of it."""


class Delivery(BaseModel):
    """How one line was spoken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    audio: str
    """The recording, relative to the folder of the trial."""
    pitch: float | None
    """Median, Hz; None where hardly anything is voiced."""
    level: float
    """dBFS of what is spoken."""
    seconds: float


class InstructedLine(BaseModel):
    """One line, spoken from equal random numbers under two instructions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    calm: Delivery
    excited: Delivery

    @property
    def pitch_rise(self) -> float | None:
        """Semitones from calm to excited."""
        if not self.calm.pitch or not self.excited.pitch:
            return None
        return 12 * math.log2(self.excited.pitch / self.calm.pitch)

    @property
    def level_rise(self) -> float:
        """dB from calm to excited."""
        return self.excited.level - self.calm.level

    @property
    def speed_up(self) -> float:
        """How many times as fast the excited one is."""
        return self.calm.seconds / max(self.excited.seconds, 1e-6)


class Confirmation(BaseModel):
    """A finalist, or the base model for comparison."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trial: str
    weaker: tuple[Verdict, ...]
    """On the lines of every trial, at strengths below 1; empty where the model has no LoRA to weaken."""
    confirmed: Verdict | None
    """On sixty other lines, at the strength that was best on the first ones; None where none was accepted there."""
    unseen: int
    """Texts among them that were not spoken before."""
    instructed: tuple[InstructedLine, ...]
    """Empty where the model takes no instructions."""
    seconds: float

    @property
    def accepted(self) -> bool:
        return self.confirmed is not None and self.confirmed.accepted


def best_strength(full: Verdict, weaker: tuple[Verdict, ...]) -> Verdict | None:
    """The verdict at the strength to keep; None where every strength was rejected.

    Full strength stays unless another is better by more than one standard error of their difference: the best of
    several is partly the luckiest.
    """
    accepted = [verdict for verdict in weaker if verdict.accepted]
    best = max(accepted, key=lambda verdict: verdict.score, default=None)
    if not full.accepted or best is None:
        return full if full.accepted else best
    compared = paired_comparison(best, full)
    return best if compared and compared.mean > compared.standard_error else full
