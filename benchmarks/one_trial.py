"""A trial in a made-up world, by the rules that end and probe a real one."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.spent import PROBE_EPOCHS, Spent
from benchmarks.worlds import Run, Searched, Sound
from spaces.band import Band
from spaces.draw import Draw
from spaces.records.trial import Ending, Losses, Outcome, Point
from spaces.records.verdict import Flag, Verdict
from trainable.stopping.rule import decide, may_be_spike, may_jump_over, nears_floor
from trainable.training.lr_schedule import effective_steps
from trainable.training.outcome import TrainingAdvice, combine_outcomes, lower_band
from trainable.training.trial_trainer import REPORTS_PER_EPOCH


@dataclass(frozen=True)
class Heard:
    """A probe, and how much had been spent on the run by then."""

    sound: Sound
    point: Point
    spent: Spent


@dataclass(frozen=True)
class Trial:
    outcome: Outcome
    curve: tuple[Point, ...]
    heard: tuple[Heard, ...]
    spent: Spent


def run_trial(world: Searched, draw: Draw, band: Band, number: int) -> Trial:
    """Trains until the band's rule ends it, listens, and goes on once where that may mend a rejection."""
    run, curve = world.run(draw, number), []
    heard: list[Heard] = []
    outcome, lower, probes = None, band, Spent()
    while lower is not None:
        ending, kept = _train(run, draw, lower, world.clips, curve)
        if kept is not None and heard and kept.step == heard[0].point.step:
            kept = None
        verdict = None
        if kept is not None:
            sound = world.sound(draw, float(run.true[kept.step]), number, kept.step)
            probes += Spent(PROBE_EPOCHS, sound.seconds)
            heard.append(Heard(sound, kept, trained(run, curve[-1]) + probes))
            verdict = verdict_of(sound)
        this = _outcome(str(number), draw, ending, curve[-1], kept, verdict)
        first, outcome = outcome, combine_outcomes(outcome, this) if outcome else this
        lower = lower_band(band, this, None) if first is None else None
    return Trial(outcome, tuple(curve), tuple(heard), trained(run, curve[-1]) + probes)


def trained(run: Run, point: Point) -> Spent:
    """What it took to get there."""
    return Spent(point.epoch, float(run.seconds[point.step]))


def _train(run: Run, draw: Draw, band: Band, clips: int, curve: list[Point]) -> tuple[Ending, Point | None]:
    """Adds to the curve until it ends; also returns the checkpoint that is probed."""
    last_step, kept = len(run.losses) - 1, None
    exposure = effective_steps(draw, last_step)
    every = max(1, run.steps_per_epoch // REPORTS_PER_EPOCH)
    if not curve:
        curve.append(_point(run, draw, clips, 0))
    while curve[-1].step < last_step:
        curve.append(_point(run, draw, clips, curve[-1].step + 1))
        ending = decide(curve, band, clips, last_step, exposure)
        if ending is Ending.IN_BAND:
            return ending, curve[-1]
        if ending is not None:
            return ending, kept if ending is Ending.OVERSHOT else None
        step = curve[-1].step
        passing = may_jump_over(curve, band) or may_be_spike(curve, band, clips)
        falling = step % every == 0 and nears_floor(curve, band, 2 * max(1, clips // REPORTS_PER_EPOCH))
        if curve[-1].loss >= band.low and (step % run.steps_per_epoch == 0 or passing or falling):
            kept = curve[-1]
    return Ending.EXHAUSTED, None


def _point(run: Run, draw: Draw, clips: int, step: int) -> Point:
    epoch, within = divmod(step, run.steps_per_epoch)
    seen = epoch * clips + min(clips, within * draw.clips_per_step)
    loss = float(run.losses[step])
    return Point.model_construct(
        step=step,
        clips=seen,
        epoch=seen / clips,
        loss=loss,
        losses=Losses.model_construct(guide=loss, aligned=loss, talker=loss, eos=loss, sub=loss, sub_shifted=loss),
        validation=None,
        grad_norm=1.0,
        lora_lr=draw.lora_lr,
        text_projection_lr=draw.text_projection_lr,
        seconds=0.0,
        audio_seconds=0.0,
    )


def verdict_of(sound: Sound) -> Verdict:
    """What the probe would say: of a voice that is not yet there, another voice; of one that is spoilt, no end."""
    flag = {None: None, TrainingAdvice.MORE: Flag.VOICE_DRIFT, TrainingAdvice.LESS: Flag.NO_EOS}[sound.mended_by]
    return Verdict(
        accepted=sound.accepted,
        reasons=() if flag is None else (flag.value,),
        flags={} if flag is None else {flag: 1},
        unknown=(),
        failed_lines=0,
        lines=(),
        planned_lines=1,
        voice_similarity=None,
        score=sound.score,
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
