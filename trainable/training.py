"""The optimizer loop of one trial: steps, curve, checkpoints, and the ending that the band decides."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from spaces.ending import Ending
from spaces.job import Job
from spaces.trial import Losses, Phase, Point
from trainable import band
from trainable.checkpoint import Checkpoint, State, read_checkpoints, thin_checkpoints, write_checkpoint
from trainable.curve import FIRST_PASS_CLIPS, ClipRow, Curve
from trainable.family import ClipLosses, Learner
from trainable.schedule import clip_order, learning_rate_factor, steps_per_epoch
from trainable.trial_folder import TrialFolder

REPORTS_PER_EPOCH = 4
"""How often a running trial tells its curve, and may keep a checkpoint between epoch ends."""

OnPoint = Callable[[Point, Phase], None]


@dataclass(frozen=True)
class Trained:
    """How training ended, and the checkpoint that counts."""

    ending: Ending
    point: Point
    kept: Checkpoint | None


class Training:
    """The optimizer loop of one trial, with its curve and checkpoints."""

    def __init__(self, job: Job, learner: Learner, folder: TrialFolder) -> None:
        self._job, self._learner, self._folder = job, learner, folder
        self._draw = job.draw
        self._epoch_steps = steps_per_epoch(learner.clip_count, self._draw.clips_per_step)
        self._last_step = self._epoch_steps * self._draw.epochs
        groups = learner.parameter_groups(self._draw)
        self._rates = [group["lr"] for group in groups]
        self._parameters = [parameter for group in groups for parameter in group["params"]]
        names = {id(tensor): name for name, tensor in learner.tensors().items()}
        self._names = [names[id(parameter)] for parameter in self._parameters]
        self._optimizer = torch.optim.AdamW(groups, weight_decay=self._draw.weight_decay)

    def run(self, on_point: OnPoint, stop: Callable[[], bool]) -> Trained:
        """Trains to the ending. Deterministic for a job: a run that was cut off and resumed ends with equal weights."""
        checkpoints = read_checkpoints(self._folder.checkpoints)
        resumed = checkpoints[-1] if checkpoints else None
        points, curve = self._begin(resumed)
        if resumed is not None and resumed.state.ending is not None:
            return self._end(resumed.state.ending, points, curve)
        started = time.perf_counter() - points[-1].seconds
        self._folder.path.mkdir(parents=True, exist_ok=True)
        with self._folder.curve.open("w", encoding="utf-8") as file:
            file.writelines(point.model_dump_json() + "\n" for point in points)
            file.flush()
            while True:
                ending = band.decide(points, self._job.band, self._learner.clip_count, self._last_step)
                if ending is None and stop():
                    ending = Ending.CANCELLED
                if ending is not None:
                    on_point(points[-1], Phase.TRAINING)
                    return self._end(ending, points, curve)
                if self._is_report(points[-1]):
                    on_point(points[-1], Phase.TRAINING)
                    if self._is_worth_keeping(points):
                        self._keep(points[-1], curve, None)
                points.append(self._step(points[-1], curve, started))
                file.write(points[-1].model_dump_json() + "\n")
                file.flush()

    def _begin(self, resumed: Checkpoint | None) -> tuple[list[Point], Curve]:
        clips = self._learner.clip_count
        if resumed is None:
            first = self._first_point()
            return [first], Curve(clips)
        self._learner.load_tensors(resumed.weights())
        resumed.restore_optimizer(self._optimizer, self._names)
        points = [point for point in self._folder.read_points() if point.step < resumed.state.point.step]
        return [*points, resumed.state.point], Curve(clips, resumed.state.window)

    def _first_point(self) -> Point:
        """The curve at step 0: a pass without gradient over at most 32 clips, in the order they will be trained on."""
        started = time.perf_counter()
        curve = Curve(self._learner.clip_count)
        order = clip_order(self._job.seed, 0, self._learner.clip_count)[:FIRST_PASS_CLIPS]
        self._learner.train()
        self._seed(step=0, part=0)
        with torch.no_grad():
            for clips in _batches(order, self._draw.batch):
                curve.add(self._rows(self._learner.losses(clips)))
        return self._point(0, 0, curve.mean(), 0.0, 0.0, time.perf_counter() - started)

    def _step(self, before: Point, curve: Curve, started: float) -> Point:
        """One optimizer step: gradients of the mean loss over its clips, one clip in it counting as much as another."""
        epoch, within = divmod(before.step, self._epoch_steps)
        order = clip_order(self._job.seed, epoch, self._learner.clip_count)
        clips = order[within * self._draw.clips_per_step : (within + 1) * self._draw.clips_per_step]
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * learning_rate_factor(before.step, self._draw.warmup)
        self._learner.train()
        for part, batch in enumerate(_batches(clips, self._draw.batch)):
            self._seed(before.step + 1, part)
            losses = self._learner.losses(batch)
            (getattr(losses, self._draw.objective).sum() / len(clips)).backward()
            curve.add(self._rows(losses))
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._draw.clip_norm)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        audio = before.audio_seconds + sum(self._learner.clip_seconds[clip] for clip in clips)
        seconds = time.perf_counter() - started
        return self._point(before.step + 1, before.clips + len(clips), curve.mean(), float(norm), audio, seconds)

    def _point(self, step: int, clips: int, losses: Losses, norm: float, audio: float, seconds: float) -> Point:
        rates = {group["name"]: group["lr"] for group in self._optimizer.param_groups}
        return Point(
            step=step,
            clips=clips,
            epoch=clips / self._learner.clip_count,
            loss=losses.of(self._draw.objective),
            losses=losses,
            grad_norm=norm,
            lora_lr=rates["lora"],
            text_projection_lr=rates.get("text_projection", 0.0),
            seconds=seconds,
            audio_seconds=audio,
        )

    def _seed(self, step: int, part: int) -> None:
        """Dropout depends on the seed and the step alone, so a resumed trial draws the masks it would have drawn."""
        torch.manual_seed(random.Random(f"{self._job.seed}/{step}/{part}").getrandbits(63))

    @staticmethod
    def _rows(losses: ClipLosses) -> list[ClipRow]:
        """One row per clip; a single transfer from the device."""
        parts = [getattr(losses, name).detach().float() for name in Losses.model_fields]
        return [tuple(row) for row in torch.stack(parts, dim=1).tolist()]

    def _is_report(self, point: Point) -> bool:
        every = max(1, self._epoch_steps // REPORTS_PER_EPOCH)
        within = point.step % self._epoch_steps
        return within == 0 or (within % every == 0 and self._epoch_steps - within >= every)

    def _is_worth_keeping(self, points: list[Point]) -> bool:
        if points[-1].step == 0 or points[-1].loss < self._job.band.low:
            return False
        ahead = 2 * max(1, self._learner.clip_count // REPORTS_PER_EPOCH)
        return points[-1].step % self._epoch_steps == 0 or band.nears_floor(points, self._job.band, ahead)

    def _keep(self, point: Point, curve: Curve, ending: Ending | None) -> Checkpoint:
        state = State(draw=self._draw, seed=self._job.seed, point=point, window=curve.window, ending=ending)
        kept = write_checkpoint(self._folder.checkpoints, state, self._learner.tensors(), self._optimizer, self._names)
        thin_checkpoints(self._folder.checkpoints, [kept])
        return kept

    def _end(self, ending: Ending, points: list[Point], curve: Curve) -> Trained:
        checkpoints = read_checkpoints(self._folder.checkpoints)
        at_the_end = checkpoints and checkpoints[-1].state.point.step == points[-1].step
        if ending in (Ending.IN_BAND, Ending.EXHAUSTED, Ending.CANCELLED) and not at_the_end:
            checkpoints = [self._keep(points[-1], curve, ending)]
        elif ending in (Ending.DIVERGED, Ending.COLLAPSED):
            checkpoints = []
        return Trained(ending, points[-1], checkpoints[-1] if checkpoints else None)


def _batches(clips: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(clips), size):
        yield clips[start : start + size]
