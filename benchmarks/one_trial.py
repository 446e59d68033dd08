"""A simulated trial, with the stopping and probing rules of a real one."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.search_cost import PROBE_EPOCHS, SearchCost
from benchmarks.worlds import ProbeOutcome, SearchProblem, TrainingRun
from spaces.band import Band
from spaces.draw import Draw
from spaces.qwen3_tts import LOSSES
from spaces.records.losses import BaseLoss, Losses
from spaces.records.trial import Ending, Outcome, Point
from spaces.records.verdict import Verdict
from trainable.probe.criteria.criteria_table import Flag
from trainable.stopping.rule import decide, may_be_spike, may_jump_over, nears_floor
from trainable.training.lr_schedule import effective_steps, learns_from
from trainable.training.outcome import TrainingAdvice, combine_outcomes, lower_band
from trainable.training.trial_trainer import REPORTS_PER_EPOCH

CLIP_DEVIATION = 0.3
"""Between the base model's losses of clips, in nats, as far as a search knows it."""


@dataclass(frozen=True)
class TrialProbe:
    """A probe, and the cost of the run up to it."""

    result: ProbeOutcome
    point: Point
    spent: SearchCost


@dataclass(frozen=True)
class SimulatedTrial:
    outcome: Outcome
    curve: tuple[Point, ...]
    heard: tuple[TrialProbe, ...]
    spent: SearchCost


def run_trial(world: SearchProblem, draw: Draw, band: Band, number: int) -> SimulatedTrial:
    """Trains until the stopping rule ends it, probes, and trains on once where that may mend a rejection."""
    run, curve = world.run(draw, number), []
    heard: list[TrialProbe] = []
    outcome, lower, probes = None, band, SearchCost()
    while lower is not None:
        ending, kept = _train(run, draw, lower, world.clips, curve)
        if kept is not None and heard and kept.step == heard[0].point.step:
            kept = None
        verdict = None
        if kept is not None:
            result = world.probe(draw, float(run.true[kept.step]), number, kept.step)
            probes += SearchCost(PROBE_EPOCHS, result.seconds)
            heard.append(TrialProbe(result, kept, training_cost(run, curve[-1]) + probes))
            verdict = verdict_of(result)
        this = _outcome(str(number), draw, ending, curve[-1], kept, verdict)
        first, outcome = outcome, combine_outcomes(outcome, this) if outcome else this
        lower = lower_band(band, this, None) if first is None else None
    return SimulatedTrial(outcome, tuple(curve), tuple(heard), training_cost(run, curve[-1]) + probes)


def training_cost(run: TrainingRun, point: Point) -> SearchCost:
    """Cost of training up to a point."""
    return SearchCost(point.epoch, float(run.seconds[point.step]))


def _train(run: TrainingRun, draw: Draw, band: Band, clips: int, curve: list[Point]) -> tuple[Ending, Point | None]:
    """Appends to the curve until the trial ends; returns the ending, and the checkpoint to probe."""
    last_step, kept = len(run.losses) - 1, None
    steps, since = effective_steps(draw, last_step), learns_from(draw, last_step)
    base = BaseLoss(mean=float(run.true[0]), deviation=CLIP_DEVIATION)
    every = max(1, run.steps_per_epoch // REPORTS_PER_EPOCH)
    if not curve:
        curve.append(_point(run, draw, clips, 0))
    while curve[-1].step < last_step:
        curve.append(_point(run, draw, clips, curve[-1].step + 1))
        ending = decide(curve, band, clips, last_step, steps, base, since)
        if ending is Ending.IN_BAND:
            return ending, curve[-1]
        if ending is not None:
            return ending, (kept or curve[-1]) if ending is Ending.OVERSHOT else None
        step = curve[-1].step
        passing = may_jump_over(curve, band) or may_be_spike(curve, band, clips)
        falling = step % every == 0 and nears_floor(curve, band, 2 * max(1, clips // REPORTS_PER_EPOCH))
        if curve[-1].loss >= band.low and (step % run.steps_per_epoch == 0 or passing or falling):
            kept = curve[-1]
    return Ending.EXHAUSTED, None


def _point(run: TrainingRun, draw: Draw, clips: int, step: int) -> Point:
    epoch, within = divmod(step, run.steps_per_epoch)
    seen = epoch * clips + min(clips, within * draw.clips_per_step)
    loss = float(run.losses[step])
    return Point.model_construct(
        step=step,
        clips=seen,
        epoch=seen / clips,
        loss=loss,
        losses=Losses.model_construct(dict.fromkeys(LOSSES, loss)),
        validation=None,
        grad_norm=1.0,
        lrs=draw.lrs,
        seconds=0.0,
        audio_seconds=0.0,
    )


def verdict_of(result: ProbeOutcome) -> Verdict:
    """The verdict of the outcome: an undertrained voice drifts, an overtrained one does not stop."""
    flag = {None: None, TrainingAdvice.MORE: Flag.VOICE_DRIFT, TrainingAdvice.LESS: Flag.NO_EOS}[result.mended_by]
    return Verdict(
        accepted=result.accepted,
        reasons=() if flag is None else (flag.value,),
        flags={} if flag is None else {flag: 1},
        unknown=(),
        failed_lines=0,
        lines=(),
        planned_lines=1,
        voice_similarity=None,
        score=result.score,
    )


def _outcome(
    trial: str, draw: Draw, ending: Ending, stopped: Point, kept: Point | None, verdict: Verdict | None
) -> Outcome:
    return Outcome.model_construct(
        trial=trial,
        ending=ending,
        reason=ending.value,
        draw=draw,
        point=stopped,
        kept=kept,
        checkpoint=None,
        verdict=verdict,
        train_seconds=0.0,
        probe_seconds=0.0,
    )
