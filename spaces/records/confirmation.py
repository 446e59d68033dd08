"""The confirmation of a finalist: probes at lower LoRA strengths, many more lines, and lines with instructions."""

import math

from spaces.frozen_model import FrozenModel
from spaces.records.paired import paired_comparison
from spaces.records.verdict import Verdict

STRENGTHS = (0.3, 0.5, 0.7)
"""Factors on the LoRA's output that are tried beside 1: an overtrained adapter may be best at half its strength."""


class Delivery(FrozenModel):
    """How one line was spoken."""

    audio: str
    """The recording, relative to the folder of the trial."""
    pitch: float | None
    """Median, Hz; None where hardly anything is voiced."""
    level: float
    """Level of the speech, dBFS."""
    seconds: float


class InstructedLine(FrozenModel):
    """One line, spoken with the same seed under two instructions."""

    text: str
    calm: Delivery
    excited: Delivery

    @property
    def pitch_rise(self) -> float | None:
        """Semitones from calm to excited; None where either pitch is unknown."""
        if not self.calm.pitch or not self.excited.pitch:
            return None
        return 12 * math.log2(self.excited.pitch / self.calm.pitch)

    @property
    def level_rise(self) -> float:
        """dB from calm to excited."""
        return self.excited.level - self.calm.level

    @property
    def speed_up(self) -> float:
        """Duration of the calm line over that of the excited one."""
        return self.calm.seconds / max(self.excited.seconds, 1e-6)


class Confirmation(FrozenModel):
    """The confirmation of a finalist, or of the base model for comparison."""

    trial: str
    weaker: tuple[Verdict, ...]
    """Verdicts on the lines of every trial at strengths below 1; empty for a model without a LoRA."""
    confirmed: Verdict | None
    """Verdict on sixty other lines, at the best strength on the first lines; None where no strength was accepted."""
    unseen: int
    """Texts among the sixty that no trial has spoken."""
    instructed: tuple[InstructedLine, ...]
    """Empty where the model takes no instructions."""
    seconds: float

    @property
    def accepted(self) -> bool:
        return self.confirmed is not None and self.confirmed.accepted


def best_strength(full: Verdict, weaker: tuple[Verdict, ...]) -> Verdict | None:
    """The verdict at the strength to keep; None where every strength was rejected.

    Full strength is kept unless another is better by more than one standard error of their difference, because the
    best of several is partly luck.
    """
    accepted = [verdict for verdict in weaker if verdict.accepted]
    best = max(accepted, key=lambda verdict: verdict.score, default=None)
    if not full.accepted or best is None:
        return full if full.accepted else best
    comparison = paired_comparison(best, full)
    return best if comparison and comparison.mean > comparison.standard_error else full
