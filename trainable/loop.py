"""One trial, from its first step to its verdict. No Ray: whoever calls it passes the curve on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from spaces.ending import Ending
from spaces.job import Job
from spaces.trial import Outcome, Phase
from spaces.verdict import Verdict
from trainable.family import Learner, load_family
from trainable.probe.calibration import Calibration
from trainable.probe.probe import probe
from trainable.training import OnPoint, Trained, Training
from trainable.trial_folder import TrialFolder


def run_trial(job: Job, on_point: OnPoint, stop: Callable[[], bool] = lambda: False) -> Outcome:
    """Trains, ends by the band, probes, and leaves `outcome.json`; goes on where an earlier attempt was cut off.

    `on_point` is called about four times an epoch, when training ends, and when probing begins. When `stop()` turns
    true the trial ends as cancelled after the step it is in. A trial that has its outcome returns it at once.
    """
    folder = TrialFolder(Path(job.folder))
    earlier = folder.read_outcome()
    if earlier is not None:
        return earlier
    family = load_family(job.family)
    learner = family.build(job.model, Path(job.prepared), job.language, job.draw, job.seed)
    trained = Training(job, learner, folder).run(on_point, stop)
    verdict, probe_seconds = None, 0.0
    if trained.ending.is_probed and trained.kept is not None:
        on_point(trained.point, Phase.PROBING)
        started = time.perf_counter()
        learner.load_tensors(trained.kept.weights())
        verdict = _listen(job, learner, folder)
        probe_seconds = time.perf_counter() - started
    outcome = Outcome(
        trial=job.trial,
        ending=trained.ending,
        reason=_reason(job, trained),
        draw=job.draw,
        point=trained.point,
        kept=trained.kept.state.point if trained.kept else None,
        checkpoint=str(trained.kept.folder.relative_to(folder.path)) if trained.kept else None,
        verdict=verdict,
        train_seconds=trained.point.seconds,
        probe_seconds=probe_seconds,
    )
    folder.write_outcome(outcome)
    return outcome


def _listen(job: Job, learner: Learner, folder: TrialFolder) -> Verdict:
    calibration = Calibration.read(Path(job.calibration))
    learner.eval()
    return probe(learner, job.probe, calibration, job.seed, folder.recordings)


def _reason(job: Job, trained: Trained) -> str:
    point, objective, at = trained.point, job.draw.objective, f"after {trained.point.epoch:.2f} epochs"
    loss = f"{objective} loss {point.loss:.3f}"
    match trained.ending:
        case Ending.IN_BAND:
            return f"{loss} entered the band {job.band} {at}"
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
            return f"{loss} {at} will not reach the band {job.band} within {job.draw.epochs} at twice its rate"
        case Ending.DIVERGED:
            return f"the {objective} loss or its gradient is not a finite number {at}"
        case Ending.COLLAPSED:
            return f"{loss} {at}: nothing is left to predict; look for clips with equal codes"
        case _:
            return f"stopped {at} at {loss}"
