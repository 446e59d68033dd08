"""Makes the outcome of a trial, and decides whether a rejected trial trains on to a second and last probe."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from spaces.band import Band
from spaces.records.trial import Ending, Outcome
from spaces.records.trial_spec import TrialSpec
from spaces.records.verdict import Verdict
from trainable.probe.criteria.criteria_table import Flag
from trainable.probe.criteria.judge import allowed_failures, fails_screen
from trainable.stopping.rule import is_settled

if TYPE_CHECKING:
    # That module needs torch, which readers of a ledger and the trial's Ray Tune function do not import.
    from trainable.training.trial_trainer import TrainingResult


class TrainingAdvice(StrEnum):
    """Whether a rejected trial needs more training or less."""

    MORE = "more"
    LESS = "less"


def training_advice(verdict: Verdict, base_failed_share: float | None) -> TrainingAdvice | None:
    """None for an accepted trial, and for one whose failed lines are only clipped, which no amount of training changes.

    A voice that does not match yet needs more training. Lines that fail need less, since speech garbles as the loss
    falls; they need more where no larger share fails than of the base model's own clone. A rejected trial with sound
    lines and the right voice speaks too fast or does not end: it needs less too.
    """
    if verdict.accepted:
        return None
    if fails_screen(verdict.lines) or verdict.failed_lines > allowed_failures(verdict.planned_lines):
        if base_failed_share is not None and failed_share(verdict) <= base_failed_share:
            return TrainingAdvice.MORE
        failed = [line.flags for line in verdict.lines if line.failed]
        failures = {flag for flag in Flag if flag.rejects and any(flag in flags for flags in failed)}
        return None if failures == {Flag.CLIPPED} else TrainingAdvice.LESS
    return TrainingAdvice.MORE if Flag.VOICE_DRIFT in verdict.flags else TrainingAdvice.LESS


def lower_band(band: Band | None, outcome: Outcome, base_failed_share: float | None) -> Band | None:
    """The part of its band that a rejected trial trains on to; None where it ends instead.

    Only a trial that ended in its band, is not past the aim and needs more training goes on: half of the way to the
    floor. A trial that needs less training ends, because it stopped where it entered the band.
    """
    if band is None or outcome.verdict is None or outcome.kept is None or outcome.ending is not Ending.IN_BAND:
        return None
    loss, advice = outcome.kept.loss, training_advice(outcome.verdict, base_failed_share)
    if advice is not TrainingAdvice.MORE or not band.aim[0] < loss <= band.high:
        return None
    return Band(low=band.low, high=(band.low + loss) / 2)


def combine_outcomes(first: Outcome, second: Outcome) -> Outcome:
    """The outcome of a trial that trained on after a rejection: the second ending, with the checkpoint and verdict of
    the better probe. There may be no second probe."""
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


def overshot_at_once(outcome: Outcome) -> bool:
    """Whether a trial was below its band at the first point that is judged against one."""
    point, draw = outcome.point, outcome.draw
    if outcome.ending is not Ending.OVERSHOT or point is None or draw is None or not point.epoch:
        return False
    return not is_settled(point.clips - draw.clips_per_step, round(point.clips / point.epoch))


def failed_share(verdict: Verdict) -> float:
    """Share of the judged lines that failed, 0–1."""
    return verdict.failed_lines / max(1, verdict.judged_lines)


def _rank(verdict: Verdict) -> tuple[bool, float, float]:
    return verdict.accepted, -failed_share(verdict), verdict.score


def make_outcome(
    spec: TrialSpec, trained: TrainingResult, verdict: Verdict | None, probe_seconds: float, gpu_seconds: float
) -> Outcome:
    """`verdict` is None for a trial that was not probed; `gpu_seconds` counts training and probe."""
    return Outcome(
        trial=spec.trial,
        ending=trained.ending,
        reason=_reason(spec, trained),
        draw=spec.draw,
        point=trained.point,
        kept=trained.kept.state.point if trained.kept else None,
        checkpoint=str(trained.kept.folder.relative_to(spec.path)) if trained.kept else None,
        verdict=verdict,
        train_seconds=trained.point.seconds,
        probe_seconds=probe_seconds,
        gpu_seconds=gpu_seconds,
    )


def _reason(spec: TrialSpec, trained: TrainingResult) -> str:
    point, objective, at = trained.point, spec.draw.objective, f"after {trained.point.epoch:.2f} epochs"
    loss, base = f"{objective} loss {point.loss:.3f}", spec.base_loss
    match trained.ending:
        case Ending.IN_BAND:
            return f"{loss} is in the band {spec.band} {at}"
        case Ending.OVERSHOT if trained.kept is not None and trained.kept.state.point.step < point.step:
            kept = trained.kept.state.point
            return (
                f"{loss} fell below the band {spec.band} {at}; went back to {kept.loss:.3f} at {kept.epoch:.2f} epochs"
            )
        case Ending.OVERSHOT:
            begins = f"; the base model's own is {base.mean:.3f}" if base and base.mean <= spec.band.high else ""
            return f"{loss} was below the band {spec.band} as soon as it counted, {at}{begins}"
        case Ending.EXHAUSTED if base is not None and point.loss <= spec.band.high:
            return f"{loss} {at} is not lower than the base model's {base.mean:.3f} by more than the noise of the clips"
        case Ending.HOPELESS if base is not None and point.loss >= base.mean:
            return f"{loss} {at} is not below the base model's {base.mean:.3f}: its first epoch has not lowered it"
        case Ending.EXHAUSTED:
            return f"{loss} is still above the band {spec.band} {at}, where its epochs are used up"
        case Ending.COMPLETED:
            return f"{loss} {at}, all of its epochs"
        case Ending.HOPELESS:
            return f"{loss} {at}; its {spec.draw.epochs} epochs would hardly bring it to the band {spec.band}"
        case Ending.DIVERGED:
            return f"the {objective} loss or its gradient is not a finite number {at}"
        case Ending.COLLAPSED:
            return f"{loss} {at}: nothing is left to predict; look for clips with equal codes"
        case _:
            return f"stopped {at} at {loss}"
