"""Curves of simulated runs, clip by clip, as the training loop writes them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from spaces.records.losses import Losses
from spaces.records.trial import Point
from trainable.stopping.curve import FIRST_PASS_CLIPS
from trainable.stopping.extrapolation import EffectiveSteps

Course = Callable[[float], float]
"""The loss after so many epochs at the full learning rate, if all clips were alike."""


def exponential(start: float, end: float, decays: float, epochs: float) -> Course:
    """From `start` to `end` in so many epochs, with `decays` time constants on the way."""
    return lambda epoch: start + (end - start) * math.expm1(-decays * epoch / epochs) / math.expm1(-decays)


def linear(start: float, end: float, epochs: float) -> Course:
    return lambda epoch: start + (end - start) * epoch / epochs


def sigmoid(start: float, end: float, epochs: float, slow: float) -> Course:
    """Almost flat at first, linear after `slow` epochs."""

    def fallen(epoch: float) -> float:
        return math.log1p(math.exp((epoch - slow) / 0.2)) - math.log1p(math.exp(-slow / 0.2))

    return lambda epoch: start + (end - start) * fallen(epoch) / fallen(epochs)


def stepped(start: float, end: float, epochs: float) -> Course:
    """Falls only in the first third of each epoch."""
    return lambda epoch: start + (end - start) * (math.floor(epoch) + min(1.0, 3 * (epoch % 1))) / epochs


def observed(
    course: Course,
    epochs: int,
    clips: int = 32,
    clips_per_step: int = 4,
    seed: int = 0,
    clip_spread: float = 0.3,
    within: float = 0.1,
    noise: float = 0.0,
    effective_steps: EffectiveSteps = float,
) -> list[Point]:
    """One point per step. Standard deviations in nats: `clip_spread` between clips, `within` of one clip from epoch to
    epoch, and `noise` of each point."""
    rng = np.random.default_rng(seed)
    of_clip = rng.normal(0, clip_spread, clips)
    of_clip -= of_clip.mean()
    steps = math.ceil(clips / clips_per_step)
    order, losses = rng.permutation(clips), []
    first = order[:FIRST_PASS_CLIPS]
    points = [_point(0, 0, clips, course(0) + np.mean(of_clip[first] + rng.normal(0, within, len(first))))]
    for step in range(steps * epochs):
        start = step % steps * clips_per_step
        if step and not start:
            order = rng.permutation(clips)
        clips_of_step = order[start : start + clips_per_step]
        clip_noise = rng.normal(0, within, len(clips_of_step))
        losses += list(course(effective_steps(step) / steps) + of_clip[clips_of_step] + clip_noise)
        mean = np.mean(losses[-clips:]) + rng.normal(0, noise)
        points.append(_point(step + 1, len(losses), clips, mean))
    return points


def _point(step: int, seen_clips: int, clips: int, loss: float) -> Point:
    return Point(
        step=step,
        clips=seen_clips,
        epoch=seen_clips / clips,
        loss=loss,
        losses=Losses(guide=loss, aligned=loss, talker=loss, eos=loss, sub=loss, sub_shifted=loss),
        grad_norm=1.0,
        lora_lr=1e-5,
        text_projection_lr=0.0,
        seconds=0.0,
        audio_seconds=0.0,
    )


CLIPS = 8
STEPS_PER_EPOCH = 4


def curve(*losses: float, grad_norm: float = 1.0) -> list[Point]:
    """One point per optimizer step of two clips, from step 0."""
    return [
        Point(
            step=step,
            clips=2 * step,
            epoch=2 * step / CLIPS,
            loss=loss,
            losses=Losses(guide=loss, aligned=loss, talker=loss, eos=loss, sub=loss, sub_shifted=loss),
            grad_norm=grad_norm,
            lora_lr=1e-5,
            text_projection_lr=0.0,
            seconds=0.0,
            audio_seconds=0.0,
        )
        for step, loss in enumerate(losses)
    ]
