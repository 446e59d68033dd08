"""The score and the constraints of an ended trial, as Optuna gets them."""

import math
from dataclasses import dataclass

from optuna.trial import TrialState

from spaces.band import Band
from spaces.records.trial import Ending, Outcome

NEVER_IN_BAND = 100.0
"""Violation in nats if the loss says nothing about the distance to the band; more than for any finite loss."""
NOT_ACCEPTED = 1.0


@dataclass(frozen=True)
class TrialScore:
    """A finished trial in Optuna's terms. A trial is feasible when no constraint is above 0."""

    state: TrialState
    score: float | None
    """The probe's, in [0, 1]; only a complete trial has one."""
    constraints: dict[str, float]


NO_SCORE = TrialScore(TrialState.FAIL, None, {})
"""For cancelled and failed trials, which say nothing about their draw; TPE ignores them."""


def score_trial(outcome: Outcome, band: Band | None) -> TrialScore:
    """A probed trial is complete. One that ended without a probe is pruned, and its constraints make it infeasible.

    Constraint `band`: nats outside the band, at the probed checkpoint or where training stopped; 0 if there is none.
    Constraint `accepted`: -1 if accepted, otherwise the share of lines that failed, or 1 without a probe. TPE adds up
    violations: a rejected trial in the band ranks before all that never entered it, and those rank by their distance.
    """
    if outcome.ending in (Ending.CANCELLED, Ending.FAILED):
        return NO_SCORE
    verdict = outcome.verdict
    if verdict is None:
        constraints = {"band": _distance(outcome, band), "accepted": NOT_ACCEPTED}
        return TrialScore(TrialState.PRUNED, None, constraints)
    if not math.isfinite(verdict.score):
        return NO_SCORE
    failed = max(1, verdict.failed_lines) / max(1, len(verdict.lines))
    accepted = -1.0 if verdict.accepted else min(NOT_ACCEPTED, failed)
    return TrialScore(TrialState.COMPLETE, verdict.score, {"band": _distance(outcome, band), "accepted": accepted})


def _distance(outcome: Outcome, band: Band | None) -> float:
    point = outcome.judged_point
    if point is None or not math.isfinite(point.loss) or outcome.ending in (Ending.DIVERGED, Ending.COLLAPSED):
        return NEVER_IN_BAND
    return min(band.distance(point.loss), NEVER_IN_BAND) if band else 0.0
