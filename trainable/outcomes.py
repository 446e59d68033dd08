"""How a trial ended, for the record."""

from __future__ import annotations

from spaces.ending import Ending
from spaces.job import Job
from spaces.trial import Outcome
from spaces.verdict import Verdict
from trainable.training import Trained


def outcome_of(
    job: Job, trained: Trained, verdict: Verdict | None, probe_seconds: float, gpu_seconds: float
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


def _reason(job: Job, trained: Trained) -> str:
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
