"""Trains one trial in its seat: its clips, its curve, its checkpoints, and the ending that its band decides."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from spaces.records.losses import Losses
from spaces.records.trial import Ending, Point, SecondChance
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
from trainable.training.lr_schedule import effective_steps, learning_rate_factor, learns_from

REPORTS_PER_EPOCH = 4
"""How often a running trial reports its curve, and may write a checkpoint between epoch ends."""


@dataclass(frozen=True)
class TrainingResult:
    """How training ended, and the checkpoint that counts."""

    ending: Ending
    point: Point
    kept: Checkpoint | None


class TrialTrainer:
    """Deterministic for a trial's spec: a run that was cut off and resumed ends with equal weights.

    Every process of the group holds one and comes to the same decisions. Only the main process writes files.
    """

    def __init__(
        self,
        spec: TrialSpec,
        pack: Pack,
        seat: int,
        process_group: ProcessGroup,
        second_chance: SecondChance | None = None,
    ) -> None:
        """A trial with a second chance was rejected before; the band of the second chance replaces its own."""
        self._spec, self._draw, self._pack, self._seat, self._group = spec, spec.draw, pack, seat, process_group
        self._folder = TrialFolder(spec.path)
        self._curve_file = CurveFile(self._folder.curve) if process_group.is_main else None
        self._epoch_size = pack.split.epoch_size
        self._epoch_steps = steps_per_epoch(self._epoch_size, spec.draw.clips_per_step)
        self._last_step = self._epoch_steps * spec.draw.epochs
        self._effective_steps = effective_steps(spec.draw, self._last_step)
        self._has_held_out = bool(pack.split.held_out)
        self._curve = Curve(pack.loss_parts, self._epoch_size)
        self._points: list[Point] = []
        self._started = 0.0
        self._epoch, self._order = 0, epoch_clips(pack.split, spec.draw, spec.seed, 0)
        self._clips: list[int] = []
        self._rows: list[ClipRow] = []
        self._passes_done = 0
        self._checkpoints = CheckpointPolicy(
            self._folder.checkpoints, pack, seat, lambda: push(spec.storage, spec.path)
        )
        self.ending: Ending | None = None
        """None while training goes on."""
        self._second_chance = second_chance
        self.gpu_seconds = 0.0
        """See `Point.gpu_seconds`. The bench adds this trial's part of each pass."""

    @property
    def point(self) -> Point:
        """The latest point of the curve."""
        return self._points[-1]

    @property
    def passes_per_epoch(self) -> int:
        """Forward passes in one epoch."""
        return self._epoch_steps * self._passes(self._draw.clips_per_step)

    def begin(self) -> None:
        """Resumes from the last checkpoint of an earlier attempt. Without one the first pass is next.

        The first pass is without gradient, over at most 32 clips in the order they will be trained on.
        """
        self._started = time.perf_counter()
        if self._second_chance:
            self._apply(self._second_chance)
        checkpoints = read_checkpoints(self._folder.checkpoints) if self._group.is_main else []
        latest = self._group.broadcast(checkpoints[-1].folder if checkpoints else None)
        if latest is None:
            self._clips = self._order[:FIRST_PASS_CLIPS]
            return
        self._resume(read_checkpoint(latest))
        # No process may write before all have read.
        self._group.barrier()
        self._started -= self.point.seconds
        self._start_from(self._points)

    @property
    def is_starting(self) -> bool:
        """Whether the first pass is not complete yet: the curve has no point."""
        return not self._points

    def next_batch(self) -> Batch:
        """This process's clips in the next forward pass; none when only other processes have clips left.

        In the first pass every process has all clips, and none of them counts in a gradient.
        """
        size = self._pack.batch
        window = slice(self._passes_done * size, (self._passes_done + 1) * size)
        if self.is_starting:
            return Batch(self._clips[window], step=0)
        own = self._clips[self._group.rank :: self._group.size]
        return Batch(own[window], step=self.point.step + 1, weight=1 / len(self._clips))

    def add_losses(self, rows: Sequence[ClipRow]) -> None:
        """Adds the losses of the latest batch."""
        self._rows.extend(rows)
        self._passes_done += 1

    @property
    def is_step_complete(self) -> bool:
        """Whether all clips of the step, or of the first pass, have been seen."""
        clips = len(self._clips)
        return self._passes_done == (math.ceil(clips / self._pack.batch) if self.is_starting else self._passes(clips))

    @property
    def lr_factor(self) -> float:
        """What the learning rates are multiplied by in the current step."""
        return learning_rate_factor(self.point.step, self._draw, self._last_step)

    @property
    def step_rows(self) -> list[ClipRow]:
        """A row per clip of the step, with zeros for the clips of other processes."""
        rows: list[ClipRow] = [(0.0,) * len(self._pack.loss_parts)] * len(self._clips)
        rows[self._group.rank :: self._group.size] = self._rows
        return rows

    def complete_first_pass(self) -> None:
        """Adds the curve's point at step 0."""
        losses = mean_losses(self._pack.loss_parts, self._group.broadcast(self._rows))
        self._points = [self._make_point(0, 0, losses, losses, 0.0, 0.0)]
        self._start_from(())

    def complete_step(self, rows: Sequence[ClipRow], grad_norm: float) -> None:
        """Adds a point after an optimizer step. `rows` of all its clips; `grad_norm` before clipping."""
        before = self.point
        self._curve.add(rows)
        audio = before.audio_seconds + sum(self._pack.split.entries[clip].seconds for clip in self._clips)
        clips = before.clips + len(self._clips)
        losses, own = self._curve.mean(), mean_losses(self._pack.loss_parts, rows)
        self._points.append(self._make_point(before.step + 1, clips, losses, own, grad_norm, audio))
        self.ending = self._decide()
        self._take_next_clips()

    @property
    def needs_validation(self) -> bool:
        """Whether this point lacks the losses of the held-out clips: at the start, wherever a checkpoint may be
        written, and where training has ended without diverging."""
        if not self._has_held_out or self.point.validation is not None or self.ending is Ending.DIVERGED:
            return False
        return self.point.step == 0 or self.ending is not None or self._is_checkpoint_due

    def record(self, validation: Losses | None) -> None:
        """Writes the latest point to the curve's file, with the losses of the held-out clips if there are any."""
        if validation is not None:
            self._points[-1] = self.point.model_copy(update={"validation": validation})
        if self._curve_file:
            self._curve_file.add(self.point)

    def continue_with(self, second_chance: SecondChance) -> None:
        """Trains on from where it ended, to a lower part of its band."""
        self._apply(second_chance)
        self.ending = self._decide()

    def cancel(self) -> None:
        """Ends training at the latest point."""
        self.ending = self.ending or Ending.CANCELLED

    @property
    def is_report_due(self) -> bool:
        """Whether this point is reported: a few times per epoch, and whenever the next step may fall below the band."""
        if self._may_fall_below:
            return True
        every = max(1, self._epoch_steps // REPORTS_PER_EPOCH)
        within = self.point.step % self._epoch_steps
        return within == 0 or (within % every == 0 and self._epoch_steps - within >= every)

    def save_checkpoint_if_due(self) -> None:
        """Saves at epoch ends, where the curve may fall through the band before the next report, and at each step that
        may be the last above the floor. An overshot trial returns to the checkpoint saved last."""
        point, band = self.point, self._spec.band
        if point.step > 0 and (band is None or point.loss >= band.low) and self._is_checkpoint_due:
            self._checkpoints.save(self._checkpoint_state(None))

    def finish(self) -> TrainingResult:
        """The result of training; writes a final checkpoint where the ending asks for one, or none was trained.

        Raises ValueError while training goes on.
        """
        if self.ending is None:
            raise ValueError("expected a training that has ended, got one that goes on")
        if self.ending in (Ending.DIVERGED, Ending.COLLAPSED):
            kept = None
        elif self.ending in (Ending.IN_BAND, Ending.EXHAUSTED, Ending.COMPLETED, Ending.CANCELLED):
            kept = self._checkpoints.save_final(self._checkpoint_state(self.ending))
        else:
            kept, base = self._checkpoints.latest(), self._spec.base_loss
            is_trained = kept is not None and not rule.is_untrained(kept.state.point, base, self._epoch_size)
            if self.ending is Ending.OVERSHOT and not is_trained:
                kept = self._checkpoints.save_final(self._checkpoint_state(self.ending))
        return TrainingResult(self.ending, self.point, kept)

    def close(self) -> None:
        if self._curve_file:
            self._curve_file.close()

    def _resume(self, checkpoint: Checkpoint) -> None:
        self._pack.load(self._seat, checkpoint.read())
        state, second_chance = checkpoint.state, self._second_chance
        self._points = [point for point in self._folder.read_points() if point.step < state.point.step]
        self._points.append(state.point)
        self._curve = Curve(self._pack.loss_parts, self._epoch_size, state.window)
        was_probed = second_chance is not None and state.point.step == second_chance.outcome.kept.step
        self.ending = None if was_probed else state.ending
        self.gpu_seconds = max(state.point.gpu_seconds, second_chance.outcome.gpu_seconds if second_chance else 0.0)

    def _apply(self, second_chance: SecondChance) -> None:
        self._second_chance = second_chance
        self._spec = self._spec.model_copy(update={"band": second_chance.band})
        self._checkpoints.probed = self._spec.path / second_chance.outcome.checkpoint

    @property
    def _is_checkpoint_due(self) -> bool:
        """Whether this point's weights are to be saved unless its loss forbids it."""
        if self.point.step % self._epoch_steps == 0 or self._may_fall_below:
            return True
        band, ahead = self._spec.band, 2 * max(1, self._epoch_size // REPORTS_PER_EPOCH)
        return band is not None and self.is_report_due and rule.nears_floor(self._points, band, ahead)

    @property
    def _may_fall_below(self) -> bool:
        """Whether the loss may be below the band after the next step."""
        points, band = self._points, self._spec.band
        if band is None or self.ending is not None or self.point.step == 0:
            return False
        return rule.may_jump_over(points, band) or rule.may_be_spike(points, band, self._epoch_size)

    def _start_from(self, written: Sequence[Point]) -> None:
        """Starts the curve's file with `written`, and takes the clips after the latest point."""
        if self._curve_file:
            self._curve_file.begin(written)
        self.ending = self.ending or self._decide()
        self._take_next_clips()

    def _make_point(self, step: int, clips: int, losses: Losses, own: Losses, grad_norm: float, audio: float) -> Point:
        """`losses` are the curve's, `own` those of the step's clips alone."""
        factor = learning_rate_factor(max(0, step - 1), self._draw, self._last_step)
        return Point(
            step=step,
            clips=clips,
            epoch=clips / self._epoch_size,
            loss=losses[self._draw.objective],
            losses=losses,
            step_loss=own[self._draw.objective],
            grad_norm=grad_norm,
            lrs={name: rate * factor for name, rate in self._draw.lrs.items()},
            seconds=time.perf_counter() - self._started,
            gpu_seconds=self.gpu_seconds,
            audio_seconds=audio,
        )

    def _take_next_clips(self) -> None:
        """Takes the clips of the next step, and forgets the losses of the last one."""
        epoch, within = divmod(self.point.step, self._epoch_steps)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, epoch_clips(self._pack.split, self._draw, self._spec.seed, epoch)
        size = self._draw.clips_per_step
        self._clips, self._rows, self._passes_done = self._order[within * size : (within + 1) * size], [], 0

    def _passes(self, clips: int) -> int:
        """Forward passes for so many clips, divided among the processes."""
        return math.ceil(clips / (self._group.size * self._pack.batch))

    def _decide(self) -> Ending | None:
        band, base, since = self._spec.band, self._spec.base_loss, learns_from(self._draw, self._last_step)
        return rule.decide(self._points, band, self._epoch_size, self._last_step, self._effective_steps, base, since)

    def _checkpoint_state(self, ending: Ending | None) -> CheckpointState:
        window = self._curve.window
        return CheckpointState(draw=self._draw, seed=self._spec.seed, point=self.point, window=window, ending=ending)
