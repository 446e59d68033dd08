"""Losses by the names of a family's parts, and those of the base model before any training."""

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
        return self.deviation / clips**0.5


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
