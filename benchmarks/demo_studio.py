"""The demo voice with a pack of seats: trains draws side by side to their last epoch, and listens where it is asked."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from spaces.draw import Draw
from spaces.families import FAMILIES
from spaces.records.pack_shape import PackShape
from spaces.records.trial import Losses
from spaces.records.verdict import Verdict
from spaces.space import Space
from trainable.dataset.source import Source
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Batch, Pack, SeatLimit, SeatState, load_family
from trainable.files.cache import cache_folder
from trainable.probe.criteria.calibration import Calibration
from trainable.probe.session.listener import Listener
from trainable.probe.session.probe import ProbeScript, ProbeSubject, probe
from trainable.probe.texts.lines import lines_for
from trainable.stages.baseline import CALIBRATION, BaselineSettings, measure_baseline
from trainable.stopping.curve import FIRST_PASS_CLIPS, ClipRow, Curve, mean_losses
from trainable.training.epoch_order import epoch_clips, steps_per_epoch
from trainable.training.lr_schedule import learning_rate_factor
from trainable.training.outcome import TrainingAdvice, failed_share, training_advice
from trainable.training.validation import end_probabilities

SEED = 1
"""Of weights, order and speech; the one that a search has when none is given."""
VOICE = Path(__file__).parent.parent / "demo" / "voice"


@dataclass(frozen=True)
class Course:
    """One draw's training, with the weights after every step."""

    losses: np.ndarray
    """[steps + 1] of the draw's objective, as a search's curve has them; NaN from where one is not finite."""
    seconds: np.ndarray
    """[steps + 1] that one core computed for this draw alone, its part of what a pass took."""
    weights: tuple[Callable[[], SeatState], ...]
    """[steps + 1]."""


@dataclass(frozen=True)
class Hearing:
    """What the probe said."""

    verdict: Verdict
    mended_by: TrainingAdvice | None
    seconds: float
    """That one core computed for this adapter alone."""


class Studio:
    """Trains on one thread. By its usual clock, this process's CPU time, other programs do not add to its seconds."""

    def __init__(self, space: Space, folder: Path, seats: int, clock: Callable[[], float] = time.process_time) -> None:
        """Prepares the voice in `folder`, which takes a quarter of a minute."""
        torch.set_num_threads(1)
        self._clock = clock
        plan = BaselineSettings(
            sources=(Source.parse(str(VOICE)),),
            auto_reference=False,
            cache=cache_folder(),
            data=space.data,
            family=FAMILIES[space.family].module,
            model=space.model,
            language=space.language,
            seed=SEED,
            probe=space.probe,
            prepared=folder / "prepared",
            base=folder / "base",
        )
        base = measure_baseline(plan, lambda what, done, of: None).verdict
        self._space, self._folder = space, folder
        self._pack: Pack = load_family(plan.family).build_pack(
            space.model,
            plan.prepared,
            space.language,
            PackShape.from_space(space),
            SeatLimit(seats, None, True),
            ProcessGroup(),
        )
        calibration = Calibration.read(plan.base / CALIBRATION)
        self._listener = Listener.open(self._pack, space.probe, calibration, SEED)
        self._script = ProbeScript(lines_for(space.probe.lines, self._pack.split), SEED)
        self._base_failed_share = failed_share(base)

    @property
    def clips(self) -> int:
        """In an epoch."""
        return self._pack.split.epoch_size

    @property
    def seats(self) -> int:
        return self._pack.seats

    def train(self, draws: Sequence[Draw]) -> list[Course]:
        """As many draws as there are seats, at most, all of the same number of epochs and of one pass to a step."""
        first = draws[0]
        for draw in draws:
            if (draw.epochs, draw.batch, draw.accumulation) != (first.epochs, self._pack.batch, 1):
                raise ValueError(
                    f"expected draws of equal epochs, batch {self._pack.batch}, accumulation 1, got {draw}"
                )
        seats = {seat: draw for seat, draw in enumerate(draws)}
        for seat, draw in seats.items():
            self._pack.join(seat, draw, SEED)
        takes = {seat: _Take(self._pack, seat, draw) for seat, draw in seats.items()}
        for epoch in range(first.epochs):
            order = epoch_clips(self._pack.split, first, SEED, epoch)
            if epoch == 0:
                self._look(order[:FIRST_PASS_CLIPS], takes)
            for start in range(0, len(order), first.batch):
                self._step(order[start : start + first.batch], takes)
        for seat in seats:
            self._pack.leave(seat)
        return [take.course() for take in takes.values()]

    def listen(self, draws: Sequence[Draw], weights: Sequence[Callable[[], SeatState]]) -> list[Hearing]:
        """One adapter per seat, together; what it took is divided by the lines that each was asked to say."""
        started, seats = self._clock(), range(len(draws))
        for seat in seats:
            self._pack.join(seat, draws[seat], SEED)
            self._pack.load(seat, weights[seat]())
        ends = end_probabilities(self._pack, list(seats))
        verdicts = probe(
            lambda speakers, cues: self._pack.speak(speakers, cues, self._space.probe.sampling),
            self._listener,
            self._script,
            {seat: ProbeSubject(self._folder / str(seat), end_probability=ends.get(seat)) for seat in seats},
        )
        for seat in seats:
            self._pack.leave(seat)
        per_line = (self._clock() - started) / sum(len(verdict.lines) for verdict in verdicts.values())
        return [
            Hearing(verdict, training_advice(verdict, self._base_failed_share), per_line * len(verdict.lines))
            for verdict in (verdicts[seat] for seat in seats)
        ]

    def _look(self, clips: Sequence[int], takes: dict[int, _Take]) -> None:
        """The pass before the first step."""
        started, size = self._clock(), self._pack.batch
        rows: dict[int, list[ClipRow]] = {seat: [] for seat in takes}
        for start in range(0, len(clips), size):
            batch = Batch(clips[start : start + size], step=0)
            for seat, found in self._pack.losses(dict.fromkeys(takes, batch)).items():
                rows[seat] += found
        seconds = (self._clock() - started) / len(takes)
        for seat, take in takes.items():
            take.add(mean_losses(rows[seat]), seconds)

    def _step(self, clips: Sequence[int], takes: dict[int, _Take]) -> None:
        started = self._clock()
        batches = {seat: Batch(clips, step=take.step, weight=1 / len(clips)) for seat, take in takes.items()}
        rows = self._pack.accumulate(batches)
        self._pack.step({seat: take.factor for seat, take in takes.items()})
        seconds = (self._clock() - started) / len(takes)
        for seat, take in takes.items():
            take.curve.add(rows[seat])
            take.add(take.curve.mean(), seconds)


class _Take:
    """A draw in its seat."""

    def __init__(self, pack: Pack, seat: int, draw: Draw) -> None:
        self._pack, self._seat, self._draw = pack, seat, draw
        self._last_step = steps_per_epoch(pack.split.epoch_size, draw.clips_per_step) * draw.epochs
        self.curve = Curve(pack.split.epoch_size)
        self._losses: list[float] = []
        self._seconds: list[float] = []
        self._weights: list[Callable[[], SeatState]] = []

    @property
    def step(self) -> int:
        """Which is next; 0 before the first pass."""
        return len(self._losses)

    @property
    def factor(self) -> float:
        return learning_rate_factor(self.step - 1, self._draw, self._last_step)

    def add(self, losses: Losses, seconds: float) -> None:
        loss = losses.of(self._draw.objective)
        self._losses.append(loss if math.isfinite(loss) else math.nan)
        self._seconds.append(seconds)
        self._weights.append(self._pack.snapshot(self._seat))

    def course(self) -> Course:
        return Course(np.array(self._losses), np.cumsum(self._seconds), tuple(self._weights))
