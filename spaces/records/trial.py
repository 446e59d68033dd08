"""What a trial leaves: the points of its curve and its outcome.

Why a trial's training ended.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from spaces.band import Band
from spaces.draw import Draw, Objective
from spaces.records.verdict import Verdict


class Ending(StrEnum):
    """One word per ending; every table, plot and ledger line uses these."""

    IN_BAND = "in_band"
    """The loss entered the band."""
    EXHAUSTED = "exhausted"
    """All epochs ran and the loss is still above the band."""
    HOPELESS = "hopeless"
    """Even the most optimistic course that its curve allows does not reach the band within its epochs."""
    OVERSHOT = "overshot"
    """The loss jumped below the band; the last checkpoint above the floor is what counts."""
    DIVERGED = "diverged"
    """The loss is not a finite number."""
    COLLAPSED = "collapsed"
    """The loss is 0: there is nothing to predict, or nothing is being scored."""
    CANCELLED = "cancelled"
    """Stopped from outside."""
    FAILED = "failed"
    """The trial's process ended in an error."""

    @property
    def is_probed(self) -> bool:
        return self in (Ending.IN_BAND, Ending.OVERSHOT)


BASE = "base"
"""What row zero is called: the base model's own clone, untrained."""


class Phase(StrEnum):
    """What a running trial is doing."""

    TRAINING = "training"
    PROBING = "probing"


class Losses(BaseModel):
    """Every loss that is logged, in nats per label, each a mean over clips that all count the same.

    `talker` is codebook 0 without EOS, `eos` the label after the last frame, `sub` codebooks 1–15 scored on their own
    head, `sub_shifted` the same logits as qwen-tts scores them (head k on codebook k + 2).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    guide: float
    aligned: float
    talker: float
    eos: float
    sub: float
    sub_shifted: float

    def of(self, objective: Objective) -> float:
        return self.guide if objective is Objective.GUIDE else self.aligned


class Point(BaseModel):
    """A trial's curve after `step` optimizer steps.

    `losses` is the mean over the last N clips (N = clips of an epoch; fewer while fewer have been seen). At step 0
    it is a pass without gradient. `loss` is the one that is descended, named by the trial's objective.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    step: int
    clips: int
    """Clips seen so far, counting repeats."""
    epoch: float
    loss: float
    losses: Losses
    validation: Losses | None = None
    """Mean over the held-out clips, in evaluation mode: at step 0, at epoch ends, where training ended and wherever a
    checkpoint may be kept. None elsewhere, and where nothing is held out."""
    grad_norm: float
    """Joint gradient norm before clipping, of the last optimizer step."""
    lora_lr: float
    text_projection_lr: float
    seconds: float
    """Wall-clock seconds of training up to here, over all restarts."""
    gpu_seconds: float = 0.0
    """GPU seconds up to here: a pass that serves several seats counts for each with its part of the time, and on every
    GPU of the bench; a CPU counts as a GPU. 0 in older records."""
    audio_seconds: float
    """Seconds of speech trained on so far, counting repeats."""


class Outcome(BaseModel):
    """How a trial ended. Written once, by the loop (or by the driver when the loop could not)."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    trial: str
    ending: Ending | None
    """None for row zero, the base model itself, which is not trained."""
    reason: str
    """One sentence for a person."""
    draw: Draw | None
    """None for row zero."""
    point: Point | None
    """The curve where training stopped; None when it never started."""
    kept: Point | None
    """The curve at the checkpoint that was kept and probed; None when there is none."""
    checkpoint: str | None
    """Folder of the kept checkpoint, relative to the trial's folder."""
    verdict: Verdict | None
    other_verdict: Verdict | None = None
    """Of a trial that was rejected and went on in its band: what was heard at the checkpoint that does not count."""
    other_kept: Point | None = None
    """The curve at that checkpoint, which is gone."""
    train_seconds: float
    probe_seconds: float
    gpu_seconds: float = 0.0
    """GPU seconds of training and listening, counted as those of a `Point`; 0 in older records."""

    @property
    def judged_point(self) -> Point | None:
        """The curve at what was probed; of a trial that was not probed, where training stopped."""
        return self.kept if self.verdict is not None else self.point

    @property
    def accepted(self) -> bool:
        return self.verdict is not None and self.verdict.accepted


class SecondChance(BaseModel):
    """A trial was rejected, and goes on to a lower part of its band, to be probed for the second and last time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome
    """With the verdict that rejected it."""
    band: Band
