"""What a rejected trial may still try: a second probe further down its band. There is no third.

How a trial ended, for the record.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from spaces.band import Band
from spaces.records.trial import Ending, Outcome
from spaces.records.trial_spec import TrialSpec
from spaces.records.verdict import Flag, Verdict
from trainable.probe.criteria.judge import allowed_failures, fails_screen

if TYPE_CHECKING:
    # It needs torch, which readers of a ledger and the trial's Ray Tune function do without.
    from trainable.training.trial_state import TrainingResult


class TrainingAdvice(StrEnum):
    """Which amount of training would mend what a trial was rejected for."""

    MORE = "more"
    LESS = "less"


def training_advice(verdict: Verdict, base_failed_share: float | None) -> TrainingAdvice | None:
    """None of what was accepted, and of clipped lines, which no amount of training mends.

    A voice that is not yet there needs more training. Lines that fail need less, since speech garbles as the loss
    falls; unless no larger share of them fails than of the base model's own clone, which no training has spoilt. A
    rejected voice whose lines are sound, and that is the right one, is rushed or would not end: it needs less too.
    """
    if verdict.accepted:
        return None
    if fails_screen(verdict.lines) or verdict.failed_lines > allowed_failures(verdict.planned_lines):
        if base_failed_share is not None and failed_share(verdict) <= base_failed_share:
            return TrainingAdvice.MORE
        spoilt = {flag for line in verdict.lines if line.failed for flag in line.flags if flag.rejects}
        return None if spoilt == {Flag.CLIPPED} else TrainingAdvice.LESS
    return TrainingAdvice.MORE if Flag.VOICE_DRIFT in verdict.flags else TrainingAdvice.LESS


def lower_band(band: Band, outcome: Outcome, base_failed_share: float | None) -> Band | None:
    """The part of the band that a rejected trial goes on to; None where nothing promising is left.

    Only a trial that ended in its band and that more training would mend goes on, half of the way that is left to the
    floor, unless it has passed the aim. What less training would mend is not tried: a trial ends as soon as it is in
    its band, so nothing that was trained less is in it.
    """
    if outcome.verdict is None or outcome.kept is None or outcome.ending is not Ending.IN_BAND:
        return None
    loss = outcome.kept.loss
    if (
        training_advice(outcome.verdict, base_failed_share) is not TrainingAdvice.MORE
        or not band.aim[0] < loss <= band.high
    ):
        return None
    return Band(low=band.low, high=(band.low + loss) / 2)


def combine_outcomes(first: Outcome, second: Outcome) -> Outcome:
    """What counts of a trial that was probed twice, or that came to no second probe: the second ending, and the
    checkpoint and the verdict that are nearer to being accepted."""
    if second.verdict is not None and _rank(second.verdict) >= _rank(first.verdict):
        chosen, other = second, first
    else:
        chosen, other = first, second
    return second.model_copy(
        update={
            "kept": chosen.kept,
            "checkpoint": chosen.checkpoint,
            "verdict": chosen.verdict,
            "other_verdict": other.verdict,
            "other_kept": other.kept if other.verdict else None,
            "probe_seconds": first.probe_seconds + second.probe_seconds,
        }
    )


def failed_share(verdict: Verdict) -> float:
    """Of the lines that count."""
    return verdict.failed_lines / max(1, verdict.judged_lines)


def _rank(verdict: Verdict) -> tuple[bool, float, float]:
    return verdict.accepted, -failed_share(verdict), verdict.score


def make_outcome(
    job: TrialSpec, trained: TrainingResult, verdict: Verdict | None, probe_seconds: float, gpu_seconds: float
) -> Outcome:
    """`verdict` of a trial that was probed, and how long that took; `gpu_seconds` of everything."""
    return Outcome(
        trial=job.trial,
        ending=trained.ending,
        reason=_reason(job, trained),
        draw=job.draw,
        point=trained.point,
        kept=trained.kept.state.point if trained.kept else None,
        checkpoint=str(trained.kept.folder.relative_to(job.path)) if trained.kept else None,
        verdict=verdict,
        train_seconds=trained.point.seconds,
        probe_seconds=probe_seconds,
        gpu_seconds=gpu_seconds,
    )


def _reason(job: TrialSpec, trained: TrainingResult) -> str:
    point, objective, at = trained.point, job.draw.objective, f"after {trained.point.epoch:.2f} epochs"
    loss = f"{objective} loss {point.loss:.3f}"
    match trained.ending:
        case Ending.IN_BAND:
            return f"{loss} is in the band {job.band} {at}"
        case Ending.OVERSHOT if trained.kept is not None:
            kept = trained.kept.state.point
            return (
                f"{loss} fell below the band {job.band} {at}; went back to {kept.loss:.3f} at {kept.epoch:.2f} epochs"
            )
        case Ending.OVERSHOT:
            return f"{loss} fell below the band {job.band} {at}, before a checkpoint above it was kept"
        case Ending.EXHAUSTED:
            return f"{loss} is still above the band {job.band} {at}, all that it had"
        case Ending.HOPELESS:
            return f"{loss} {at}; all {job.draw.epochs} would hardly bring it to the band {job.band}"
        case Ending.DIVERGED:
            return f"the {objective} loss or its gradient is not a finite number {at}"
        case Ending.COLLAPSED:
            return f"{loss} {at}: nothing is left to predict; look for clips with equal codes"
        case _:
            return f"stopped {at} at {loss}"
