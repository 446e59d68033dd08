"""Records of a trial: the points of its curve, why it ended, and its outcome."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from spaces.band import Band
from spaces.families import AnyDraw
from spaces.frozen_model import FrozenModel
from spaces.records.losses import BaseLosses, Losses
from spaces.records.verdict import Verdict


class Ending(StrEnum):
    """Why training ended. Tables, plots and ledgers use these words."""

    IN_BAND = "in_band"
    """The loss entered the band."""
    EXHAUSTED = "exhausted"
    """All epochs ran, and the loss is still above the band, or hardly below the base model's."""
    COMPLETED = "completed"
    """All epochs ran, and the objective has no band."""
    HOPELESS = "hopeless"
    """Even the most optimistic extrapolation of the curve does not reach the band within its epochs, or an epoch at the
    full learning rate did not bring the loss below the base model's."""
    OVERSHOT = "overshot"
    """The loss fell below the band; the last checkpoint above the band's lower end is probed, or the one where training
    ended."""
    DIVERGED = "diverged"
    """The loss is not finite."""
    COLLAPSED = "collapsed"
    """The loss of a step is 0: the clips hold nothing to predict, or no label is scored."""
    CANCELLED = "cancelled"
    """Stopped by the user or by the end of the search."""
    FAILED = "failed"
    """The trial ended with an error."""

    @property
    def is_probed(self) -> bool:
        return self in (Ending.IN_BAND, Ending.OVERSHOT, Ending.COMPLETED)


BASE = "base"
"""Name of row zero: the untrained base model's own clone of the voice."""


class Phase(StrEnum):
    """What a running trial is doing."""

    TRAINING = "training"
    PROBING = "probing"


class Point(BaseModel):
    """A trial's curve after `step` optimizer steps.

    `losses` is the mean over the last N clips (N = clips of an epoch; fewer while fewer have been seen). At step 0
    it is a pass without gradient. `loss` is the loss of the trial's objective.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    step: int
    clips: int
    """Clips seen so far, counting repeats."""
    epoch: float
    loss: float
    losses: Losses
    step_loss: float | None = None
    """`loss` over the clips of the latest step alone; None in older records."""
    validation: Losses | None = None
    """Mean over the held-out clips, in evaluation mode: at step 0, at epoch ends, where training ended and wherever a
    checkpoint may be kept. None at other points, and without held-out clips."""
    grad_norm: float
    """Joint gradient norm of the last optimizer step, before clipping."""
    lrs: dict[str, float]
    """Learning rates of the last optimizer step, by parameter group."""
    seconds: float
    """Wall-clock seconds of training so far, over all restarts."""
    gpu_seconds: float = 0.0
    """GPU seconds so far: seats share the time of a pass that serves them, every GPU of the bench counts, and a CPU
    counts as a GPU. 0 in older records."""
    audio_seconds: float
    """Seconds of speech trained on so far, counting repeats."""

    @model_validator(mode="before")
    @classmethod
    def _rates_of_earlier_records(cls, data: Any) -> Any:
        """Earlier records have a field NAME_lr for each parameter group in place of `lrs`."""
        if not isinstance(data, dict) or "lrs" in data:
            return data
        lrs = {name.removesuffix("_lr"): value for name, value in data.items() if name.endswith("_lr")}
        return {**{name: value for name, value in data.items() if not name.endswith("_lr")}, "lrs": lrs}


class Outcome(BaseModel):
    """How a trial ended. Written once by the training loop, or by the driver when the loop could not."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    trial: str
    ending: Ending | None
    """None for row zero, the untrained base model."""
    reason: str
    """One sentence for the user."""
    draw: AnyDraw | None
    """None for row zero."""
    point: Point | None
    """The curve where training stopped; None when it never started."""
    kept: Point | None
    """The curve at the kept checkpoint; None when none was kept."""
    checkpoint: str | None
    """Folder of the kept checkpoint, relative to the trial's folder."""
    verdict: Verdict | None
    other_verdict: Verdict | None = None
    """For a trial that was rejected and trained on in its band: the verdict on the checkpoint that was dropped."""
    other_kept: Point | None = None
    """The curve at the dropped checkpoint."""
    train_seconds: float
    probe_seconds: float
    gpu_seconds: float = 0.0
    """GPU seconds of training and probing, counted as in `Point`; 0 in older records."""
    base_losses: BaseLosses | None = None
    """For row zero alone; None in older records too."""

    @property
    def judged_point(self) -> Point | None:
        """The curve at the probed checkpoint; for a trial that was not probed, where training stopped."""
        return self.kept if self.verdict is not None else self.point

    @property
    def accepted(self) -> bool:
        return self.verdict is not None and self.verdict.accepted


class SecondChance(FrozenModel):
    """A rejected trial that trains on to a lower part of its band, to be probed a second and last time."""

    outcome: Outcome
    """The outcome so far, with the verdict that rejected it."""
    band: Band
