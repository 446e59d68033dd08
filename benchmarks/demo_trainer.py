"""Trains draws of the demo voice together in a pack to their last epoch, and probes any of their checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from spaces.families import FAMILIES
from spaces.qwen3_tts import QwenDraw, QwenPackShape
from spaces.records.losses import Losses
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
from trainable.speech.asr.recogniser import open_recogniser
from trainable.speech.background.recogniser import ImmediateRecogniser
from trainable.stages.baseline import CALIBRATION, BaselineSettings, measure_baseline
from trainable.stopping.curve import FIRST_PASS_CLIPS, ClipRow, Curve, mean_losses
from trainable.training.epoch_order import epoch_clips, steps_per_epoch
from trainable.training.lr_schedule import learning_rate_factor
from trainable.training.outcome import TrainingAdvice, failed_share, training_advice
from trainable.training.validation import end_probabilities

SEED = 1
"""Of weights, order and speech; the default seed of a search."""
VOICE = Path(__file__).parent.parent / "demo" / "voice"


@dataclass(frozen=True)
class TrainingHistory:
    """The training of one draw, with the weights after every step."""

    losses: np.ndarray
    """[steps + 1] of the draw's objective, as in a search's curve; NaN where not finite."""
    seconds: np.ndarray
    """[steps + 1], cumulative: this draw's share of the time of one core."""
    weights: tuple[Callable[[], SeatState], ...]
    """[steps + 1]."""


@dataclass(frozen=True)
class ProbedAdapter:
    """The probe of one adapter."""

    verdict: Verdict
    mended_by: TrainingAdvice | None
    seconds: float
    """This adapter's share of the time of one core."""


class DemoTrainer:
    """Trains on one thread. The default clock is this process's CPU time, so other programs do not add to it."""

    def __init__(self, space: Space, folder: Path, seats: int, clock: Callable[[], float] = time.process_time) -> None:
        """Prepares the voice in `folder`, which takes about 15 seconds."""
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
            QwenPackShape.from_space(space),
            SeatLimit(seats, None, True),
            ProcessGroup(),
        )
        calibration = Calibration.read(plan.base / CALIBRATION)
        listener = Listener.open(self._pack, space.probe, calibration, SEED)
        recogniser = open_recogniser(space.probe.recogniser, calibration.vocabulary, space.probe.language)
        # In this process, whose time is counted.
        self._listener = replace(listener, recogniser=ImmediateRecogniser(recogniser) if recogniser else None)
        self._script = ProbeScript(lines_for(space.probe.lines, self._pack.split), SEED)
        self._base_failed_share = failed_share(base)

    @property
    def clips(self) -> int:
        """Per epoch."""
        return self._pack.split.epoch_size

    @property
    def seats(self) -> int:
        return self._pack.seats

    def train(self, draws: Sequence[QwenDraw]) -> list[TrainingHistory]:
        """At most as many draws as there are seats, all with the same number of epochs and one pass per step."""
        first = draws[0]
        for draw in draws:
            if (draw.epochs, draw.batch, draw.accumulation) != (first.epochs, self._pack.batch, 1):
                raise ValueError(
                    f"expected draws of equal epochs, batch {self._pack.batch}, accumulation 1, got {draw}"
                )
        seats = {seat: draw for seat, draw in enumerate(draws)}
        for seat, draw in seats.items():
            self._pack.join(seat, draw, SEED)
        runs = {seat: _SeatHistory(self._pack, seat, draw) for seat, draw in seats.items()}
        for epoch in range(first.epochs):
            order = epoch_clips(self._pack.split, first, SEED, epoch)
            if epoch == 0:
                self._first_pass(order[:FIRST_PASS_CLIPS], runs)
            for start in range(0, len(order), first.batch):
                self._step(order[start : start + first.batch], runs)
        for seat in seats:
            self._pack.leave(seat)
        return [run.history() for run in runs.values()]

    def probe_adapters(
        self, draws: Sequence[QwenDraw], weights: Sequence[Callable[[], SeatState]]
    ) -> list[ProbedAdapter]:
        """Probes one adapter per seat together; their time is shared by the number of lines spoken."""
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
            ProbedAdapter(verdict, training_advice(verdict, self._base_failed_share), per_line * len(verdict.lines))
            for verdict in (verdicts[seat] for seat in seats)
        ]

    def _first_pass(self, clips: Sequence[int], runs: dict[int, _SeatHistory]) -> None:
        """The pass before the first step, without gradients."""
        started, size = self._clock(), self._pack.batch
        rows: dict[int, list[ClipRow]] = {seat: [] for seat in runs}
        for start in range(0, len(clips), size):
            batch = Batch(clips[start : start + size], step=0)
            for seat, found in self._pack.losses(dict.fromkeys(runs, batch)).items():
                rows[seat] += found
        seconds = (self._clock() - started) / len(runs)
        for seat, run in runs.items():
            run.add(mean_losses(self._pack.loss_parts, rows[seat]), seconds)

    def _step(self, clips: Sequence[int], runs: dict[int, _SeatHistory]) -> None:
        started = self._clock()
        batches = {seat: Batch(clips, step=run.step, weight=1 / len(clips)) for seat, run in runs.items()}
        rows = self._pack.accumulate(batches)
        self._pack.step({seat: run.factor for seat, run in runs.items()})
        seconds = (self._clock() - started) / len(runs)
        for seat, run in runs.items():
            run.curve.add(rows[seat])
            run.add(run.curve.mean(), seconds)


class _SeatHistory:
    """A draw in its seat, and its losses so far."""

    def __init__(self, pack: Pack, seat: int, draw: QwenDraw) -> None:
        self._pack, self._seat, self._draw = pack, seat, draw
        self._last_step = steps_per_epoch(pack.split.epoch_size, draw.clips_per_step) * draw.epochs
        self.curve = Curve(pack.loss_parts, pack.split.epoch_size)
        self._losses: list[float] = []
        self._seconds: list[float] = []
        self._weights: list[Callable[[], SeatState]] = []

    @property
    def step(self) -> int:
        """Index of the next loss; 0 before the first pass."""
        return len(self._losses)

    @property
    def factor(self) -> float:
        return learning_rate_factor(self.step - 1, self._draw, self._last_step)

    def add(self, losses: Losses, seconds: float) -> None:
        loss = losses[self._draw.objective]
        self._losses.append(loss if math.isfinite(loss) else math.nan)
        self._seconds.append(seconds)
        self._weights.append(self._pack.snapshot(self._seat))

    def history(self) -> TrainingHistory:
        return TrainingHistory(np.array(self._losses), np.cumsum(self._seconds), tuple(self._weights))
