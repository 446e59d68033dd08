"""A draw: one point of a space, the hyperparameters of one trial."""

from enum import StrEnum

from pydantic import Field, field_validator

from spaces.frozen_model import FrozenModel


class Schedule(StrEnum):
    """Learning rate schedule after warm-up."""

    CONSTANT = "constant"
    COSINE = "cosine"
    """One or more half cosines over the run's epochs, down to the floor, with warm restarts between them (SGDR,
    Loshchilov and Hutter 2017)."""


class Curriculum(StrEnum):
    """Order of the clips within an epoch, during the first third of a run's epochs. Every epoch has all clips, so that
    the means of a curve are over the same clips throughout."""

    NONE = "none"
    LENGTH = "length"
    """Short clips before long ones."""
    SOURCE = "source"
    """Clips of the first `--data` before those of the second, and so on."""


class Draw(FrozenModel):
    """What the training loop reads of a draw. A space fixes or searches each field.

    A family has a subclass with its own fields. One whose name ends in `_lr` is the learning rate of a parameter group.
    """

    objective: str
    """Name of the loss that is minimised."""
    epochs: int = Field(ge=1, le=1000, description="most epochs of a run, and the horizon of its schedule")
    batch: int = Field(default=1, ge=1, le=1024, description="clips in one forward pass")
    accumulation: int = Field(default=4, ge=1, le=1024, description="forward passes per optimizer step")
    warmup: int | float = Field(
        default=0, ge=0, description="linear warm-up: optimizer steps, or below 1 a share of the run's steps"
    )
    schedule: Schedule = Field(default=Schedule.CONSTANT, description="constant or cosine")
    lr_floor: float = Field(default=0.0, ge=0, le=1, description="lowest learning rate factor of the cosine")
    lr_cycles: int = Field(default=1, ge=1, le=100, description="half cosines; warm restarts where more than 1")
    curriculum: Curriculum = Field(default=Curriculum.NONE, description="none, length or source")
    augmented: float = Field(default=0.0, ge=0, le=1, description="probability of an augmented copy in place of a clip")
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    clip_norm: float = Field(default=1.0, gt=0, description="joint gradient norm of everything that is trained")

    @field_validator("warmup")
    @classmethod
    def _is_steps_or_a_share(cls, warmup: float) -> int | float:
        """From 1 on, and at 0, a number of steps: an interval of steps may be written with a point."""
        return warmup if 0 < warmup < 1 else round(warmup)

    @property
    def clips_per_step(self) -> int:
        return self.batch * self.accumulation

    @property
    def lrs(self) -> dict[str, float]:
        """Learning rates by parameter group, where the schedule's factor is 1."""
        names = [name for name in type(self).model_fields if name.endswith("_lr")]
        return {name.removesuffix("_lr"): getattr(self, name) for name in names}

    def describe(self) -> str:
        """One line for tables and logs: the usual hyperparameters, and others that differ from their defaults."""
        others = ("schedule", "curriculum", "augmented")
        return f"{self.objective} {self._settings()} ≤{self.epochs} epochs{self._differing(*others)}"

    def _settings(self) -> str:
        """The family's usual hyperparameters, in a few words."""
        return " ".join(f"{name} lr {rate:.1e}" for name, rate in self.lrs.items())

    def _differing(self, *names: str) -> str:
        """Those of these fields that differ from their defaults."""
        fields = type(self).model_fields
        differing = [name for name in names if getattr(self, name) != fields[name].default]
        return "".join(f", {name.replace('_', ' ')} {getattr(self, name)}" for name in differing)
