"""Runs trials of the tiny Qwen3-TTS through a bench and reads what each leaves on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from spaces.band import Band
from spaces.probe_settings import ProbeSettings
from spaces.qwen3_tts import TARGETS, QwenDraw, QwenPackShape
from spaces.records.trial import Ending, Point
from spaces.records.trial_spec import TrialSpec
from tests.support.qwen_fixtures import Tiny
from tests.support.qwen_fixtures import draw as make_draw
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Pack
from trainable.files.trial_folder import TrialFolder
from trainable.qwen3_tts.data.prepared import PreparedData
from trainable.qwen3_tts.packed.pack import QwenPack
from trainable.training.bench import Bench
from trainable.training.checkpoint import read_checkpoints
from trainable.training.events import Event, Progress

UNREACHABLE = Band(low=1e-3, high=2e-3)
SEED = 5

one_shape = pytest.mark.parametrize("tiny", ["1.7b"], indirect=True)
"""For tests to which the other shape would add nothing."""


def clips(tiny: Tiny, count: int = 20, frames: Sequence[int] = (5, 2, 8, 1, 3)) -> PreparedData:
    """So many clips of these lengths in turn; the text is longer where there are more frames."""
    lengths = [frames[clip % len(frames)] for clip in range(count)]
    return tiny.data(tuple(lengths), tuple("ab cd efgh"[: 1 + length] for length in lengths))


def draw(**changes) -> QwenDraw:
    return make_draw(**{"accumulation": 1, "epochs": 1, **changes})


def job(folder: Path, chosen: QwenDraw, band: Band = UNREACHABLE) -> TrialSpec:
    return TrialSpec(
        trial=folder.name,
        folder=str(folder),
        family="unused",
        model="unused",
        prepared="unused",
        calibration="unused",
        language="auto",
        seed=SEED,
        draw=chosen,
        band=band,
        probe=ProbeSettings(lines="unused", recogniser="none"),
    )


def shape_of(draws: Sequence[QwenDraw], batch: int) -> QwenPackShape:
    """The shape that fits all of these draws."""
    return QwenPackShape(
        rank=max(each.rank for each in draws),
        targets=tuple(sorted({TARGETS[each.targets] for each in draws})),
        text_projection=any(each.text_projection_lr for each in draws),
        batch=batch,
    )


def make_pack(
    tiny: Tiny, data: PreparedData, shape: QwenPackShape, seats: int, dtype: torch.dtype = torch.float32
) -> QwenPack:
    tts = tiny.fresh()
    tts.model.to(dtype)
    return QwenPack(tts, data, "auto", shape, seats, ProcessGroup())


def drive(
    pack: Pack, jobs: Sequence[TrialSpec], together: int | None = None, until: tuple[str, int] | None = None
) -> list[Event]:
    """Seats the jobs in order: `together` at once (by default as many as seats), then one whenever a seat is free.

    until: (trial, step) at which everything stops.
    """
    waiting, events = list(jobs), []
    bench = Bench(pack, ProcessGroup(), events.append, raise_errors=True)
    for _ in range(min(together or pack.seats, len(jobs))):
        bench.seat(waiting.pop(0))
    while waiting or _seated(jobs, waiting, events):
        bench.advance()
        if waiting and _seated(jobs, waiting, events) < pack.seats:
            bench.seat(waiting.pop(0))
        if until in [(event.trial, event.point.step) for event in events if isinstance(event, Progress)]:
            for each in jobs:
                bench.remove(each.trial)
            break
    return events


def _seated(jobs: Sequence[TrialSpec], waiting: Sequence[TrialSpec], events: Sequence[Event]) -> int:
    """How many of the jobs are in a seat."""
    return len(jobs) - len(waiting) - sum(not isinstance(event, Progress) for event in events)


@dataclass(frozen=True)
class Left:
    """What a trial left on disk."""

    ending: Ending
    weights: dict[str, Tensor]
    curve: list[Point]

    @classmethod
    def read(cls, job: TrialSpec) -> Left:
        folder = TrialFolder(job.path)
        outcome, points = folder.read_outcome(), folder.read_points()
        assert outcome is not None and outcome.point == points[-1]
        weights = read_checkpoints(folder.checkpoints)[-1].read().weights
        return cls(
            outcome.ending,
            dict(weights),
            [point.model_copy(update={"seconds": 0.0, "gpu_seconds": 0.0}) for point in points],
        )

    def assert_equals(self, other: Left, weight_tolerance: float, curve_tolerance: float) -> None:
        """Both are absolute, but the curve's is relative for gradient norms."""
        assert self.ending is other.ending
        assert self.weights.keys() == other.weights.keys()
        for name, theirs in other.weights.items():
            assert (self.weights[name] - theirs).abs().max() <= weight_tolerance, name
        for mine, theirs in zip(self.curve, other.curve, strict=True):
            assert mine.grad_norm == pytest.approx(theirs.grad_norm, rel=curve_tolerance)
            assert mine.losses.model_dump() == pytest.approx(theirs.losses.model_dump(), abs=curve_tolerance, rel=0)
            assert mine.step_loss == pytest.approx(theirs.step_loss, abs=curve_tolerance, rel=0)
            rest = {name: getattr(mine, name) for name in ("losses", "loss", "step_loss", "grad_norm")}
            assert mine == theirs.model_copy(update=rest)
