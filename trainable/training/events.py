"""What a bench tells of the trials in its seats."""

from __future__ import annotations

from dataclasses import dataclass

from spaces.records.trial import Outcome, Phase, Point


@dataclass(frozen=True)
class Said:
    """A point of a trial's curve, and what the trial is doing there."""

    trial: str
    point: Point
    phase: Phase


@dataclass(frozen=True)
class Finished:
    """A trial has its outcome, and its seat is free."""

    trial: str
    outcome: Outcome


@dataclass(frozen=True)
class Broken:
    """A trial could not go on, and its seat is free. What it left stays."""

    trial: str
    error: Exception


Event = Said | Finished | Broken
