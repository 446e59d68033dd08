"""What a running trial tells the driver, as Ray's flat result dictionaries carry it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spaces.job import Job
from spaces.trial import Phase, Point

TRIAL, JOB, POINT, PHASE = "trial", "job", "point", "phase"
REPORT_SECONDS = 0.5
"""A report passes several processes and waits for its reader: a fast loop skips those that nobody could see anyway."""


@dataclass(frozen=True)
class Report:
    """A point of a trial's curve, and what the trial is doing there."""

    job: Job
    point: Point
    phase: Phase

    def as_result(self) -> dict[str, Any]:
        return {JOB: self.job.model_dump_json(), POINT: self.point.model_dump_json(), PHASE: self.phase.value}

    @classmethod
    def of(cls, result: dict[str, Any]) -> Report | None:
        """None for a result that carries no point, such as a trial's last."""
        if POINT not in result:
            return None
        return cls(Job.model_validate_json(result[JOB]), Point.model_validate_json(result[POINT]), Phase(result[PHASE]))
