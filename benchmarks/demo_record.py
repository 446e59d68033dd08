"""The demo voice's reference set: loss curves of draws trained to their last epoch, with probes along the curves.

A file of JSON lines, compressed where its name ends in `.gz`: first the settings, then a line per draw.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from scipy.stats.qmc import Sobol

from benchmarks.one_trial import run_trial
from benchmarks.worlds import ProbeOutcome, TrainingRun
from search.proposals.distributions import shared_distributions
from spaces.band import Band
from spaces.domain import CategoricalDomain, IntervalDomain
from spaces.draw import Draw, Schedule
from spaces.errors import InputError
from spaces.space import Space
from trainable.training.outcome import TrainingAdvice

FILE = Path(__file__).parent / "demo_reference.jsonl.gz"
EPOCHS = "epochs"
PROBED_EPOCHS = (1, 2, 3, 4, 6, 8, 10)
"""Epochs after which every draw is probed."""
NEAR_STEPS = 1
"""A checkpoint that a search would probe is left out if one at most so many steps away is probed anyway."""


class RecordSettings(BaseModel):
    """How the record was made. Draws are comparable where this is equal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    space: str
    seed: int
    clips: int
    """Per epoch."""
    epochs: int
    steps_per_epoch: int


class ProbedCheckpoint(BaseModel):
    """The probe of one checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    accepted: bool
    score: float
    mended_by: TrainingAdvice | None
    lines: int
    """Spoken until the verdict was certain."""
    seconds: float


class RecordedDraw(BaseModel):
    """One draw, trained to the last epoch of the space; a draw of fewer epochs is its beginning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    """Index in the design."""
    point: dict[str, float]
    """The searched values, except the epochs."""
    losses: tuple[float | None, ...]
    """[steps + 1]; None where not finite."""
    seconds: tuple[float, ...]
    """[steps + 1], cumulative training time."""
    heard: tuple[ProbedCheckpoint, ...]
    """By step."""

    @cached_property
    def curve(self) -> np.ndarray:
        return np.array([math.nan if loss is None else loss for loss in self.losses])

    def nearest(self, step: int) -> ProbedCheckpoint:
        """The probe nearest to that step; of two equally near, the later."""
        return min(self.heard, key=lambda each: (abs(each.step - step), -each.step))


class Record(BaseModel):
    """The whole reference set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    made: RecordSettings
    draws: tuple[RecordedDraw, ...]


def read_record(file: Path) -> Record:
    """Raises InputError where there is no file, or a line cannot be read. An incomplete last line is left out."""
    try:
        data = file.read_bytes()
        text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: no record of the demo voice ({error}); python -m benchmarks.demo_reference makes one"
        ) from None
    lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
    try:
        draws = tuple(RecordedDraw.model_validate_json(line) for line in lines[1:])
        return Record(made=RecordSettings.model_validate_json(lines[0]), draws=draws)
    except (ValidationError, IndexError) as error:
        raise InputError(f"{file}: not a record of the demo voice ({error}); make it anew with another --out") from None


def pack(record: Record, file: Path) -> None:
    """Writes the record compressed."""
    lines = (record.made.model_dump_json(), *(each.model_dump_json() for each in record.draws))
    file.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))


def searched_names(space: Space) -> tuple[str, ...]:
    """Names of the searched values, except the epochs, which only shorten a curve.

    Raises InputError where the epochs change the schedule, or the objective is searched as well.
    """
    is_constant = Schedule.CONSTANT in space.draw["schedule"] if "schedule" in space.draw else True
    if not is_constant or len(space.objectives) > 1:
        raise InputError(f"{space.name}: a record needs one objective and a constant schedule")
    return tuple(name for name in shared_distributions(space) if name != EPOCHS)


def design(space: Space, draws: int) -> list[dict[str, float]]:
    """The first points of a scrambled Sobol sequence over the searched values; a longer design begins with the same."""
    names = searched_names(space)
    units = Sobol(len(names), rng=0).random(2 ** max(1, math.ceil(math.log2(draws))))[:draws]
    return [{name: _value(space, name, unit) for name, unit in zip(names, row, strict=True)} for row in units]


def whole(space: Space, point: dict[str, float], epochs: int) -> Draw:
    """The draw of a point."""
    fixed = {name: domain.value for name, domain in space.draw.items() if name not in (*point, EPOCHS)}
    return space.to_draw({**fixed, **point, EPOCHS: epochs})


def steps_to_probe(losses: np.ndarray, space: Space, point: dict[str, float], made: RecordSettings) -> list[int]:
    """`PROBED_EPOCHS`, and every step that a search may probe: as if each first probe asked for more training, under
    every cap of epochs."""
    per_epoch = made.steps_per_epoch
    steps = {epoch * per_epoch for epoch in PROBED_EPOCHS if epoch <= made.epochs}
    caps = space.draw[EPOCHS].boundary_values()
    for cap in range(min(caps), min(max(caps), made.epochs) + 1):
        draw = whole(space, point, cap)
        unsure = _Unsure(TrainingRun(losses, losses, np.zeros(len(losses)), per_epoch), made.clips)
        trial = run_trial(unsure, draw, _band(space), 0)
        for step in (each.point.step for each in trial.heard):
            if min(abs(step - other) for other in steps) > NEAR_STEPS:
                steps.add(step)
    return [step for step in sorted(steps) if math.isfinite(losses[step])]


@dataclass(frozen=True)
class _Unsure:
    """A search problem with one curve, whose every probe asks for more training."""

    whole: TrainingRun
    clips: int

    def run(self, draw: Draw, number: int) -> TrainingRun:
        return self.whole.until(draw.epochs)

    def probe(self, draw: Draw, true: float, number: int, step: int) -> ProbeOutcome:
        return ProbeOutcome(False, 0.0, TrainingAdvice.MORE, 0.0)


def _band(space: Space) -> Band:
    return space.band(space.objectives[0])


def _value(space: Space, name: str, unit: float) -> float:
    domain = space.draw[name]
    if isinstance(domain, CategoricalDomain):
        return domain.values[int(unit * len(domain.values))]
    if not isinstance(domain, IntervalDomain) or domain.is_integer:
        raise InputError(f"{space.name}: a record knows choices and intervals of fractions, not {name}")
    if domain.log:
        return float(f"{domain.low * (domain.high / domain.low) ** unit:.4g}")
    return float(f"{domain.low + (domain.high - domain.low) * unit:.4g}")


def in_units(space: Space, points: Sequence[dict[str, float]]) -> np.ndarray:
    """[points, searched], each domain scaled to 0 to 1: log intervals by the logarithm, choices evenly by rank."""
    rows = [[_unit(space, name, point[name]) for name in searched_names(space)] for point in points]
    return np.array(rows)


def _unit(space: Space, name: str, value: float) -> float:
    domain = space.draw[name]
    if isinstance(domain, CategoricalDomain):
        return sorted(domain.values).index(value) / max(1, len(domain.values) - 1)
    low, high = domain.low, domain.high
    return math.log(value / low) / math.log(high / low) if domain.log else (value - low) / (high - low)
