"""A trial in a made-up world, by the rules that end and probe a real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.worlds import Run, Sound, World
from spaces.band import Band
from spaces.draw import Draw
from spaces.ending import Ending
from spaces.trial import Losses, Outcome, Point
from spaces.verdict import Verdict
from trainable.band import decide, is_sudden, may_leap, nears_floor
from trainable.schedule import exposure_of
from trainable.second_chance import GoBack, GoOn, second_chance
from trainable.training import REPORTS_PER_EPOCH

PROBE_EPOCHS = 1.0
"""What a probe is taken to cost: on thirty clips it takes about as long as an epoch."""


@dataclass(frozen=True)
class Heard:
    """A probe, and how much had been spent on the run by then, in epochs with the probes among them."""

    sound: Sound
    point: Point
    spent: float


@dataclass(frozen=True)
class Trial:
    outcome: Outcome
    curve: tuple[Point, ...]
    heard: tuple[Heard, ...]
    spent: float


def run_trial(world: World, draw: Draw, band: Band, number: int) -> Trial:
    """Trains until the band's rule ends it, listens, and takes the second chance if there is one."""
    run, curve = world.run(draw, number), []
    ending, kept = _train(run, draw, band, world.clips, curve)
    heard: list[Heard] = []
    probed = _counts(ending, curve, kept)
    while probed is not None:
        sound = world.sound(draw, float(run.true[probed.step]), number, probed.step)
        heard.append(Heard(sound, probed, curve[-1].epoch + PROBE_EPOCHS * (len(heard) + 1)))
        if len(heard) == 2:
            break
        chance = second_chance(band, probed, sound.mended_by, kept)
        match chance:
            case GoBack():
                probed = chance.point
            case GoOn() if ending is Ending.IN_BAND and probed.step < len(run.losses) - 1:
                ending, kept = _train(run, draw, chance.band, world.clips, curve)
                probed = _counts(ending, curve, kept)
                probed = None if probed is not None and probed.step == heard[0].point.step else probed
            case _:
                probed = None
    best = max(heard, key=lambda each: (each.sound.accepted, each.sound.score), default=None)
    outcome = _outcome(str(number), draw, ending, curve[-1], best)
    return Trial(outcome, tuple(curve), tuple(heard), curve[-1].epoch + PROBE_EPOCHS * len(heard))


def _train(run: Run, draw: Draw, band: Band, clips: int, curve: list[Point]) -> tuple[Ending, list[Point]]:
    """Adds to the curve until it ends; also returns the checkpoints that were kept on the way, all above the floor."""
    last_step, kept = len(run.losses) - 1, []
    exposure = exposure_of(draw, last_step)
    every = max(1, run.steps_per_epoch // REPORTS_PER_EPOCH)
    if not curve:
        curve.append(_point(run, draw, clips, 0))
    while True:
        curve.append(_point(run, draw, clips, curve[-1].step + 1))
        ending = decide(curve, band, clips, last_step, exposure)
        if ending is not None:
            return ending, kept
        step = curve[-1].step
        passing = may_leap(curve, band) or is_sudden(curve, band, clips)
        falling = step % every == 0 and nears_floor(curve, band, 2 * max(1, clips // REPORTS_PER_EPOCH))
        if curve[-1].loss >= band.low and (step % run.steps_per_epoch == 0 or passing or falling):
            kept.append(curve[-1])


def _counts(ending: Ending, curve: Sequence[Point], kept: Sequence[Point]) -> Point | None:
    """The checkpoint that is probed."""
    if ending is Ending.IN_BAND:
        return curve[-1]
    return kept[-1] if ending is Ending.OVERSHOT and kept else None


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


def _outcome(trial: str, draw: Draw, ending: Ending, stopped: Point, best: Heard | None) -> Outcome:
    verdict = None
    if best is not None:
        verdict = Verdict(
            accepted=best.sound.accepted,
            reasons=() if best.sound.accepted else ("it does not sound right",),
            flags={},
            unknown=(),
            failed_lines=0 if best.sound.accepted else 1,
            lines=(),
            planned_lines=1,
            voice_similarity=None,
            score=best.sound.score,
        )
    return Outcome.model_construct(
        trial=trial,
        ending=ending,
        reason=ending.value,
        draw=draw,
        point=stopped,
        kept=best.point if best else None,
        checkpoint=None,
        verdict=verdict,
        train_seconds=0.0,
        probe_seconds=0.0,
    )
