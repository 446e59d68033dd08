"""Losses by the names of a family's parts, and those of the base model before any training."""

import math

from pydantic import ConfigDict, RootModel

from spaces.frozen_model import FrozenModel


class Losses(RootModel[dict[str, float]]):
    """All logged losses by the names of the family's parts, each a mean over equally weighted clips.

    An objective is the name of the part that is descended.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    def __getitem__(self, part: str) -> float:
        return self.root[part]


class BaseLoss(FrozenModel):
    """The base model's loss of one objective on the training clips, in training mode: where every trial begins."""

    mean: float
    deviation: float
    """Standard deviation between clips."""

    def standard_error(self, clips: int) -> float:
        """Of a mean over so many clips: the noise that the choice of clips brings."""
        return self.deviation / math.sqrt(clips)


class BaseLosses(FrozenModel):
    """The base model's losses on a voice before any training."""

    clips: int
    """Training clips that they were measured on."""
    training: Losses
    """Over those clips in training mode, with dropout as trials have it."""
    deviation: Losses
    """Standard deviation of `training` between clips."""
    evaluation: Losses
    """Over the same clips in evaluation mode."""
    held_out: Losses | None = None
    """Over the held-out clips in evaluation mode; None where no clip is held out."""

    def of(self, objective: str) -> BaseLoss:
        """Raises KeyError for an objective that is no part of the losses."""
        return BaseLoss(mean=self.training[objective], deviation=self.deviation[objective])

    def __str__(self) -> str:
        """`aligned 2.012 (held out 2.051), talker 1.104 (1.130)`; those in evaluation mode only where they differ."""
        training, evaluation = _rounded(self.training), _rounded(self.evaluation)
        held_out = _rounded(self.held_out) if self.held_out else {}
        parts = [f"{name} {loss}" + (f" ({held_out[name]})" if held_out else "") for name, loss in training.items()]
        if held_out:
            parts[0] = parts[0].replace("(", "(held out ")
        other = [f"{name} {loss}" for name, loss in evaluation.items() if loss != training[name]]
        return ", ".join(parts) + (f"; in evaluation mode {', '.join(other)}" if other else "")


def _rounded(losses: Losses) -> dict[str, str]:
    return {name: f"{loss:.3f}" for name, loss in losses.root.items()}
