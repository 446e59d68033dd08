"""Reports of running trials as flat result dictionaries of Ray Tune, and the outcomes of ended ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spaces.records.trial import Ending, Outcome, Phase, Point
from spaces.records.trial_spec import TrialSpec
from trainable.files.mirror import pull, push
from trainable.files.trial_folder import TrialFolder

TRIAL, SPEC, POINT, PHASE = "trial", "spec", "point", "phase"
REPORT_SECONDS = 0.5
"""At least this long between two reports of a trial: each passes several processes and waits for its reader."""


@dataclass(frozen=True)
class TuneReport:
    """A point of a trial's curve, and what the trial is doing there."""

    spec: TrialSpec
    point: Point
    phase: Phase

    def as_result(self) -> dict[str, Any]:
        return {SPEC: self.spec.model_dump_json(), POINT: self.point.model_dump_json(), PHASE: self.phase.value}

    @classmethod
    def of(cls, result: dict[str, Any]) -> TuneReport | None:
        """None for a result that carries no point, such as a trial's last."""
        if POINT not in result:
            return None
        return cls(
            TrialSpec.model_validate_json(result[SPEC]), Point.model_validate_json(result[POINT]), Phase(result[PHASE])
        )


def ensure_outcome(spec: TrialSpec, ending: Ending, reason: str) -> Outcome:
    """Returns the outcome in the trial's folder. Where there is none, writes one there with this ending and reason."""
    folder = TrialFolder(spec.path)
    pull(spec.storage, spec.path)
    outcome = folder.read_outcome()
    if outcome is None:
        points = folder.read_points()
        outcome = Outcome(
            trial=spec.trial,
            ending=ending,
            reason=reason,
            draw=spec.draw,
            point=points[-1] if points else None,
            kept=None,
            checkpoint=None,
            verdict=None,
            train_seconds=points[-1].seconds if points else 0.0,
            probe_seconds=0.0,
            gpu_seconds=points[-1].gpu_seconds if points else 0.0,
        )
        folder.write_outcome(outcome)
        push(spec.storage, spec.path)
    return outcome
