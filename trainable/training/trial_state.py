"""One trial's training in its seat: its clips, curve and checkpoints, and the ending that the band decides."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from spaces.records.trial import Ending, Losses, Point, SecondChance
from spaces.records.trial_spec import TrialSpec
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Batch, Pack
from trainable.files.mirror import push
from trainable.files.trial_folder import CurveFile, TrialFolder
from trainable.stopping import rule
from trainable.stopping.curve import FIRST_PASS_CLIPS, ClipRow, Curve, mean_losses
from trainable.training.checkpoint import (
    Checkpoint,
    CheckpointPolicy,
    CheckpointState,
    read_checkpoint,
    read_checkpoints,
)
from trainable.training.epoch_order import epoch_clips, steps_per_epoch
from trainable.training.lr_schedule import effective_steps, learning_rate_factor

REPORTS_PER_EPOCH = 4
"""How often a running trial tells its curve, and may keep a checkpoint between epoch ends."""


@dataclass(frozen=True)
class TrainingResult:
    """How training ended, and the checkpoint that counts."""

    ending: Ending
    point: Point
    kept: Checkpoint | None


class TrialState:
    """Deterministic for a job: a run that was cut off and resumed ends with equal weights.

    Every member of the process group holds one and comes to the same decisions; the first alone writes.
    """

    def __init__(
        self, job: TrialSpec, pack: Pack, seat: int, process_group: ProcessGroup, chance: SecondChance | None = None
    ) -> None:
        """`chance` of a trial that was rejected before: its band is the one that counts."""
        self._job, self._draw, self._pack, self._seat, self._group = job, job.draw, pack, seat, process_group
        self._folder = TrialFolder(job.path)
        self._file = CurveFile(self._folder.curve) if process_group.is_main else None
        self._epoch_size = pack.split.epoch_size
        self._epoch_steps = steps_per_epoch(self._epoch_size, job.draw.clips_per_step)
        self._last_step = self._epoch_steps * job.draw.epochs
        self._exposure = effective_steps(job.draw, self._last_step)
        self._has_held_out = bool(pack.split.held_out)
        self._curve = Curve(self._epoch_size)
        self._points: list[Point] = []
        self._started = 0.0
        self._epoch, self._order = 0, epoch_clips(pack.split, job.draw, job.seed, 0)
        self._clips: list[int] = []
        self._rows: list[ClipRow] = []
        self._part = 0
        self._keeping = CheckpointPolicy(self._folder.checkpoints, pack, seat, lambda: push(job.storage, job.path))
        self.ending: Ending | None = None
        """None while it should go on."""
        self._chance = chance
        self.gpu_seconds = 0.0
        """See `Point.gpu_seconds`; up to this moment. Whoever gives passes to several seats adds each one's part."""

    @property
    def point(self) -> Point:
        return self._points[-1]

    @property
    def passes_per_epoch(self) -> int:
        """Forward passes in one epoch."""
        return self._epoch_steps * self._parts(self._draw.clips_per_step)

    def begin(self) -> None:
        """Goes back to the last checkpoint of an earlier attempt; without one, the pass before the first step is next.

        That is a pass without gradient over at most 32 clips, in the order they will be trained on.
        """
        self._started = time.perf_counter()
        if self._chance:
            self._take_up(self._chance)
        checkpoints = read_checkpoints(self._folder.checkpoints) if self._group.is_main else []
        latest = self._group.broadcast(checkpoints[-1].folder if checkpoints else None)
        if latest is None:
            self._clips = self._order[:FIRST_PASS_CLIPS]
            return
        self._resume(read_checkpoint(latest))
        # Nobody writes before everybody has read.
        self._group.broadcast(None)
        self._started -= self.point.seconds
        self._go_on(self._points)

    @property
    def is_starting(self) -> bool:
        """Whether the pass before the first step is still to be completed: the curve has no point yet."""
        return not self._points

    def next_batch(self) -> Batch:
        """This member's clips in the next forward pass; none where others have some left.

        In the pass before the first step every member has all clips, and none of them counts in a gradient.
        """
        size = self._pack.batch
        window = slice(self._part * size, (self._part + 1) * size)
        if self.is_starting:
            return Batch(self._clips[window], step=0)
        own = self._clips[self._group.rank :: self._group.size]
        return Batch(own[window], step=self.point.step + 1, share=1 / len(self._clips))

    def took(self, rows: Sequence[ClipRow]) -> None:
        """The losses of the batch that was handed out last."""
        self._rows.extend(rows)
        self._part += 1

    @property
    def is_due(self) -> bool:
        """Whether all clips of the step, or of the pass before the first one, have been seen."""
        passes = -(-len(self._clips) // self._pack.batch) if self.is_starting else self._parts(len(self._clips))
        return self._part == passes

    @property
    def factor(self) -> float:
        """Of the learning rates, in the step that is due."""
        return learning_rate_factor(self.point.step, self._draw, self._last_step)

    @property
    def gathered(self) -> list[ClipRow]:
        """A row per clip of the step, with zeros for those that other members have."""
        rows: list[ClipRow] = [(0.0,) * len(Losses.model_fields)] * len(self._clips)
        rows[self._group.rank :: self._group.size] = self._rows
        return rows

    def start(self) -> None:
        """The pass before the first step is complete."""
        losses = mean_losses(self._group.broadcast(self._rows))
        self._points = [self._point(0, 0, losses, 0.0, 0.0, time.perf_counter() - self._started)]
        self._go_on(())

    def stepped(self, rows: Sequence[ClipRow], norm: float) -> None:
        """The step was taken. `rows` of all its clips, `norm` of its gradient before clipping."""
        before = self.point
        self._curve.add(rows)
        audio = before.audio_seconds + sum(self._pack.split.entries[clip].seconds for clip in self._clips)
        clips = before.clips + len(self._clips)
        seconds = time.perf_counter() - self._started
        self._points.append(self._point(before.step + 1, clips, self._curve.mean(), norm, audio, seconds))
        self.ending = self._decide()
        self._take_up_clips()

    @property
    def is_to_be_validated(self) -> bool:
        """Whether this point lacks the losses of the held-out clips: at the start, wherever a checkpoint may be kept,
        and where training has ended with weights that are worth a look."""
        if not self._has_held_out or self.point.validation is not None or self.ending is Ending.DIVERGED:
            return False
        return self.point.step == 0 or self.ending is not None or self._may_be_kept

    def record(self, validation: Losses | None) -> None:
        """Writes the point down, with the losses of the held-out clips if there are any."""
        if validation is not None:
            self._points[-1] = self.point.model_copy(update={"validation": validation})
        if self._file:
            self._file.add(self.point)

    def go_on(self, chance: SecondChance) -> None:
        """Trains on where it ended, to a lower part of its band."""
        self._take_up(chance)
        self.ending = self._decide()

    def cancel(self) -> None:
        """Ends it where it is."""
        self.ending = self.ending or Ending.CANCELLED

    @property
    def is_report(self) -> bool:
        """Whether this point is one of the few in an epoch that are told, or the last for sure before the loss may be
        below the band."""
        if self._may_be_passing:
            return True
        every = max(1, self._epoch_steps // REPORTS_PER_EPOCH)
        within = self.point.step % self._epoch_steps
        return within == 0 or (within % every == 0 and self._epoch_steps - within >= every)

    def keep_if_worth_it(self) -> None:
        """At epoch ends, wherever the curve may fall through the band before the next report, and at each step that may
        be the last before it does. Should it do so, what was kept last is what counts."""
        point = self.point
        if point.step > 0 and point.loss >= self._job.band.low and self._may_be_kept:
            self._keeping.keep(self._state(None))

    def finish(self) -> TrainingResult:
        """What training came to, its checkpoint written where the ending asks for one."""
        if self.ending is None:
            raise ValueError("expected a training that has ended, got one that goes on")
        if self.ending in (Ending.DIVERGED, Ending.COLLAPSED):
            kept = None
        elif self.ending in (Ending.IN_BAND, Ending.EXHAUSTED, Ending.CANCELLED):
            kept = self._keeping.keep_the_last(self._state(self.ending))
        else:
            kept = self._keeping.latest()
        return TrainingResult(self.ending, self.point, kept)

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _resume(self, checkpoint: Checkpoint) -> None:
        self._pack.load(self._seat, checkpoint.read())
        state = checkpoint.state
        self._points = [point for point in self._folder.read_points() if point.step < state.point.step]
        self._points.append(state.point)
        self._curve = Curve(self._epoch_size, state.window)
        was_probed = self._chance is not None and state.point.step == self._chance.outcome.kept.step
        self.ending = None if was_probed else state.ending
        self.gpu_seconds = max(state.point.gpu_seconds, self._chance.outcome.gpu_seconds if self._chance else 0.0)

    def _take_up(self, chance: SecondChance) -> None:
        self._chance, self._job = chance, self._job.model_copy(update={"band": chance.band})
        self._keeping.probed = self._job.path / chance.outcome.checkpoint

    @property
    def _may_be_kept(self) -> bool:
        """Whether this point's weights are to be kept unless its loss forbids it."""
        if self.point.step % self._epoch_steps == 0 or self._may_be_passing:
            return True
        ahead = 2 * max(1, self._epoch_size // REPORTS_PER_EPOCH)
        return self.is_report and rule.nears_floor(self._points, self._job.band, ahead)

    @property
    def _may_be_passing(self) -> bool:
        """Whether the next step may find the loss below the band."""
        if self.ending is not None or self.point.step == 0:
            return False
        points, limits = self._points, self._job.band
        return rule.may_jump_over(points, limits) or rule.may_be_spike(points, limits, self._epoch_size)

    def _go_on(self, written: Sequence[Point]) -> None:
        """From the curve's latest point. `written` is what the file begins with."""
        if self._file:
            self._file.begin(written)
        self.ending = self.ending or self._decide()
        self._take_up_clips()

    def _point(self, step: int, clips: int, losses: Losses, norm: float, audio: float, seconds: float) -> Point:
        factor = learning_rate_factor(max(0, step - 1), self._draw, self._last_step)
        return Point(
            step=step,
            clips=clips,
            epoch=clips / self._epoch_size,
            loss=losses.of(self._draw.objective),
            losses=losses,
            grad_norm=norm,
            lora_lr=self._draw.lora_lr * factor,
            text_projection_lr=self._draw.text_projection_lr * factor,
            seconds=seconds,
            gpu_seconds=self.gpu_seconds,
            audio_seconds=audio,
        )

    def _take_up_clips(self) -> None:
        """The clips of the next step, and a clean slate for their losses."""
        epoch, within = divmod(self.point.step, self._epoch_steps)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, epoch_clips(self._pack.split, self._draw, self._job.seed, epoch)
        size = self._draw.clips_per_step
        self._clips, self._rows, self._part = self._order[within * size : (within + 1) * size], [], 0

    def _parts(self, clips: int) -> int:
        """Forward passes for so many clips, shared among the process group."""
        return -(-clips // (self._group.size * self._pack.batch))

    def _decide(self) -> Ending | None:
        return rule.decide(self._points, self._job.band, self._epoch_size, self._last_step, self._exposure)

    def _state(self, ending: Ending | None) -> CheckpointState:
        window = self._curve.window
        return CheckpointState(draw=self._draw, seed=self._job.seed, point=self.point, window=window, ending=ending)
