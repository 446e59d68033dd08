"""Made-up voices to search: what a draw's loss does step by step, and how an adapter would sound at any of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Protocol

import numpy as np

from benchmarks.spent import PROBE_EPOCHS
from spaces.band import AutoBand, Band
from spaces.draw import Draw, Objective
from spaces.space import ObjectiveRecipe, Space, load_space
from trainable.stopping.curve import FIRST_PASS_CLIPS
from trainable.training.epoch_order import steps_per_epoch
from trainable.training.outcome import TrainingAdvice

GUIDE_BAND = Band(low=4.1, high=4.2, aim=(4.15, 4.2))
START_INTERVAL = Band(low=3.4, high=4.7)
"""Of a band that the verdicts find."""
MIDDLE = 4.15
GUIDE_ROWS = ((30, 15, 5e-6), (60, 8, 3e-6), (120, 3, 2e-6))
"""Clips, epochs and LoRA rate in the public guide's table."""
CLIP_SECONDS = 1.0
"""That training on a clip takes; made up, as everything."""
JITTER = 0.01
"""Nats by which what is heard of equal losses differs from run to run, a standard deviation."""


class Setting(StrEnum):
    """What makes the curves of a set of worlds hard to read, or its band."""

    EVEN = "even"
    NOISY = "noisy"
    SPIKY = "spiky"
    UNEVEN = "uneven starts"
    """Not exponential: flat at first and then steep, straight, or most of an epoch's fall in its first third."""
    UNKNOWN_BAND = "unknown band"
    """Where adapters are accepted must be found out."""


class Taste(StrEnum):
    """What decides whether an adapter is accepted."""

    LOSS = "loss alone"
    RATE = "learning rate too"
    RANK = "rank too"
    LATE = "voice comes late"
    NARROW = "narrow"
    WIDE = "wide"
    ISLANDS = "two islands"


CLIP_SPREAD = {Setting.EVEN: (0.2, 0.02), Setting.NOISY: (0.6, 0.25)}
"""How clips differ, and one clip from time to time: standard deviations in nats."""
SPIKES = 0.01
"""Of the clips in spiky worlds, each time they come, so many are off by 2 to 10 nats."""


@dataclass(frozen=True)
class Sound:
    """How an adapter is judged."""

    accepted: bool
    score: float
    mended_by: TrainingAdvice | None
    seconds: float
    """That listening took."""


@dataclass(frozen=True)
class Run:
    """One run of a draw. Index 0 is before the first optimizer step."""

    losses: np.ndarray
    """[steps + 1], each the mean over the last epoch's clips, with everything that makes it hard to read."""
    true: np.ndarray
    """[steps + 1], the same means without: what decides how the adapter sounds."""
    seconds: np.ndarray
    """[steps + 1] of training, up to there."""
    steps_per_epoch: int

    def until(self, epochs: int) -> Run:
        """Its first epochs."""
        steps = epochs * self.steps_per_epoch + 1
        return Run(self.losses[:steps], self.true[:steps], self.seconds[:steps], self.steps_per_epoch)


class Searched(Protocol):
    """What a tuner can search."""

    @property
    def space(self) -> Space: ...

    @property
    def clips(self) -> int:
        """In an epoch."""
        ...

    @property
    def habit(self) -> Habit: ...

    def run(self, draw: Draw, number: int) -> Run:
        """The `number`-th run of a search. Raises UsedUp where there are no more."""
        ...

    def sound(self, draw: Draw, true: float, number: int, step: int) -> Sound:
        """Of the checkpoint after so many steps of that run, whose loss in truth is `true`."""
        ...


class UsedUp(Exception):
    """There is no further run to be had."""


@dataclass(frozen=True)
class Habit:
    """What a person without a tuner begins with, and where he stops."""

    rank: int
    alpha_ratio: float
    text_projection_lr: float
    lora_lr: float
    epochs: int
    target: float
    """The loss to stop at."""


@dataclass(frozen=True)
class World:
    """Everything about it follows from the setting, the taste and the number."""

    setting: Setting
    taste: Taste
    number: int

    @cached_property
    def truth(self) -> Truth:
        return Truth(np.random.default_rng([list(Setting).index(self.setting), self.number]), self.setting, self.taste)

    @property
    def clips(self) -> int:
        return self.truth.clips

    @property
    def habit(self) -> Habit:
        """The public guide's settings for about so many clips."""
        clips, epochs, rate = min(GUIDE_ROWS, key=lambda row: abs(row[0] - self.clips))
        return Habit(rank=64, alpha_ratio=2, text_projection_lr=1e-7, lora_lr=rate, epochs=epochs, target=4.2)

    @cached_property
    def space(self) -> Space:
        """The domains of a voice of one's own, with the guide's objective alone."""
        voice = load_space("voice")
        band = AutoBand(auto_within=START_INTERVAL) if self.setting is Setting.UNKNOWN_BAND else GUIDE_BAND
        recipe = ObjectiveRecipe(band=band, targets="guide")
        data = {**voice.model_dump(), "draw": {**voice.model_dump()["draw"], "objective": "guide"}}
        return Space.model_validate({**data, "objective": {Objective.GUIDE: recipe}})

    def run(self, draw: Draw, number: int) -> Run:
        """The `number`-th run of a search; its noise is the same whoever searches."""
        truth, chance = self.truth, np.random.default_rng([self.truth.noise_seed, number])
        clips, per_step = truth.clips, draw.clips_per_step
        steps = steps_per_epoch(clips, per_step)
        seen = np.minimum(np.arange(clips * draw.epochs) % clips // per_step, steps - 1)
        step_of = np.repeat(np.arange(draw.epochs), clips) * steps + seen
        true = truth.course(step_of, draw, steps)
        orders = np.concatenate([chance.permutation(clips) for _ in range(draw.epochs)])
        losses = true + truth.of_clip[orders] + chance.normal(0, truth.within, true.shape)
        if self.setting is Setting.SPIKY:
            losses += (chance.random(true.shape) < SPIKES) * chance.uniform(2, 10, true.shape)
        ends = np.flatnonzero(np.diff(step_of, append=step_of[-1] + 1)) + 1
        first = truth.course(np.zeros(1), draw, steps)[0]
        shown = first + float(np.mean(truth.of_clip[orders[:FIRST_PASS_CLIPS]]))
        if truth.diverges(draw):
            losses[clips // 4 :] = math.nan
        return Run(
            np.concatenate([[shown], _window_means(losses, ends, clips)]),
            np.concatenate([[first], _window_means(true, ends, clips)]),
            np.concatenate([[0.0], ends * CLIP_SECONDS]),
            steps,
        )

    def sound(self, draw: Draw, true: float, number: int, step: int) -> Sound:
        """Of the checkpoint after so many steps of a run, whose loss in truth is `true`."""
        truth, chance = self.truth, np.random.default_rng([self.truth.noise_seed + 1, number, step])
        heard = true + chance.normal(0, JITTER)
        score = truth.score(draw, heard) + chance.normal(0, 0.003)
        low, high = truth.window
        seconds = PROBE_EPOCHS * truth.clips * CLIP_SECONDS
        if heard > high:
            return Sound(False, score, TrainingAdvice.MORE, seconds)
        if heard < low or not truth.likes(draw):
            return Sound(False, score, TrainingAdvice.LESS, seconds)
        return Sound(True, score, None, seconds)


class Truth:
    """The truth that a search does not see."""

    def __init__(self, chance: np.random.Generator, setting: Setting, taste: Taste) -> None:
        self._taste = taste
        self.noise_seed = int(chance.integers(2**31))
        self.clips = int(chance.integers(24, 122))
        spread, self.within = CLIP_SPREAD.get(setting, (0.3, 0.08))
        of_clip = chance.normal(0, spread, self.clips)
        self.of_clip = of_clip - of_clip.mean()
        self._start, self._floor = chance.uniform(4.8, 5.6), chance.uniform(2.4, 3.2)
        self._slopes = chance.uniform(0.8, 1.1), chance.uniform(0.5, 1.1), chance.uniform(0.0, 0.6)
        # The rate at which α/r 2 and rank 32 cross in four epochs.
        self._rate = math.exp(chance.uniform(math.log(4e-6), math.log(4e-5)))
        self._kind = int(chance.integers(3)) if setting is Setting.UNEVEN else -1
        self.window = self._window(chance, setting)
        # What sounds best has nothing to do with how fast the loss falls, but for being within reach.
        self._best_rate = self._rate * math.exp(chance.uniform(math.log(0.35), math.log(3.0)))
        self._best_rank, self._best_ratio = chance.choice([8, 16, 32, 64]), chance.choice([1, 2])
        self._best_loss = chance.uniform(*self.window)
        self._diverging = self._rate * math.exp(chance.uniform(math.log(8.0), math.log(60.0)))

    def _window(self, chance: np.random.Generator, setting: Setting) -> tuple[float, float]:
        middle = chance.uniform(4.13, 4.19)
        width = {Taste.NARROW: 0.05, Taste.WIDE: 0.4}.get(self._taste, 0.14)
        if self._taste is Taste.LATE:
            middle, width = chance.uniform(4.09, 4.12), 0.08
        if setting is Setting.UNKNOWN_BAND:
            middle = chance.uniform(3.7, 4.4)
        return middle - width / 2, middle + width / 2

    def diverges(self, draw: Draw) -> bool:
        return draw.lora_lr * draw.alpha_ratio > 2 * self._diverging

    def course(self, step: np.ndarray, draw: Draw, steps_per_epoch: int) -> np.ndarray:
        """The loss that all clips would have after so many steps, were they alike."""
        rate, ratio, rank = self._slopes
        speed = (draw.lora_lr / self._rate) ** rate * (draw.alpha_ratio / 2) ** ratio * (draw.rank / 32) ** rank
        if self._kind == 2:
            epoch, within = np.divmod(step / steps_per_epoch, 1.0)
            step = (epoch + np.minimum(1.0, 3 * within)) * steps_per_epoch
        done = step * speed / (4 * steps_per_epoch_of(self.clips))
        if self._kind == 0:
            sharp = 8.0
            done = (np.logaddexp(0, sharp * (done - 0.5)) - math.log1p(math.exp(-sharp / 2))) / (sharp / 2)
        reach = (self._start - MIDDLE) / (self._start - self._floor)
        if self._kind == 1:
            return np.maximum(self._floor, self._start - (self._start - MIDDLE) * done)
        return self._floor + (self._start - self._floor) * np.exp(math.log1p(-reach) * np.maximum(done, 0.0))

    def likes(self, draw: Draw) -> bool:
        off = math.log(draw.lora_lr / self._best_rate)
        if self._taste is Taste.RATE:
            return abs(off) < math.log(2.5)
        if self._taste is Taste.RANK:
            return abs(math.log2(draw.rank / self._best_rank)) <= 1
        if self._taste is Taste.ISLANDS:
            small, large = draw.rank <= 16, draw.rank >= 32
            return (small and abs(off - math.log(2)) < 0.7) or (large and abs(off + math.log(2)) < 0.7)
        return True

    def score(self, draw: Draw, loss: float) -> float:
        off = (
            math.log(draw.lora_lr / self._best_rate) / 1.2,
            math.log2(draw.rank / self._best_rank) / 3,
            math.log2(draw.alpha_ratio / self._best_ratio) / 3,
            (loss - self._best_loss) / 0.25,
        )
        return 0.35 + 0.5 * math.exp(-sum(each**2 for each in off) / 2)


def steps_per_epoch_of(clips: int) -> int:
    """With four clips per step, as the guide has it."""
    return steps_per_epoch(clips, 4)


def _window_means(losses: np.ndarray, ends: np.ndarray, clips: int) -> np.ndarray:
    summed = np.concatenate([[0.0], np.cumsum(losses)])
    begins = np.maximum(0, ends - clips)
    return (summed[ends] - summed[begins]) / (ends - begins)
