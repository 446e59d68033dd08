"""What Optuna is told of an ended trial."""

from __future__ import annotations

import math
from dataclasses import dataclass

from optuna.trial import TrialState

from spaces.band import Band
from spaces.records.trial import Ending, Outcome

NEVER_IN_BAND = 100.0
"""Violation of a run whose loss says nothing of its distance, in nats; more than any finite loss lies outside."""
NOT_ACCEPTED = 1.0


@dataclass(frozen=True)
class TrialScore:
    """A finished trial in Optuna's terms. A trial is feasible when no constraint is above 0."""

    state: TrialState
    score: float | None
    """The probe's, in [0, 1]; only a complete trial has one."""
    constraints: dict[str, float]


UNTRIED = TrialScore(TrialState.FAIL, None, {})
"""Cancelled and failed trials say nothing of their draw; TPE leaves them out."""


def score_trial(outcome: Outcome, band: Band) -> TrialScore:
    """A probed trial is complete; one that ended without a probe is pruned, and its constraints rank it as infeasible.

    `band`: nats outside the band, at the checkpoint that was probed or where training stopped. `accepted`: -1, or the
    share of lines that failed, or 1 when nothing was heard. TPE adds up what is violated, so a rejected trial in the
    band comes before every one that never got there, and those come in the order of their distance.
    """
    if outcome.ending in (Ending.CANCELLED, Ending.FAILED):
        return UNTRIED
    verdict = outcome.verdict
    if verdict is None:
        constraints = {"band": _distance(outcome, band), "accepted": NOT_ACCEPTED}
        return TrialScore(TrialState.PRUNED, None, constraints)
    if not math.isfinite(verdict.score):
        return UNTRIED
    failed = max(1, verdict.failed_lines) / max(1, len(verdict.lines))
    accepted = -1.0 if verdict.accepted else min(NOT_ACCEPTED, failed)
    return TrialScore(TrialState.COMPLETE, verdict.score, {"band": _distance(outcome, band), "accepted": accepted})


def _distance(outcome: Outcome, band: Band) -> float:
    point = outcome.judged_point
    if point is None or not math.isfinite(point.loss) or outcome.ending in (Ending.DIVERGED, Ending.COLLAPSED):
        return NEVER_IN_BAND
    return min(band.distance(point.loss), NEVER_IN_BAND)
