"""Simulated search problems: a loss curve for every draw, and the outcome of a probe at any of its steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Protocol

import numpy as np

from benchmarks.search_cost import PROBE_EPOCHS
from spaces.band import AutoBand, Band
from spaces.draw import Draw
from spaces.qwen3_tts import Objective, QwenRecipe
from spaces.space import Space, load_space
from trainable.stopping.curve import FIRST_PASS_CLIPS
from trainable.training.epoch_order import steps_per_epoch
from trainable.training.outcome import TrainingAdvice

GUIDE_BAND = Band(low=4.1, high=4.2, aim=(4.15, 4.2))
START_INTERVAL = Band(low=3.4, high=4.7)
"""Start interval of a band that moves with the verdicts."""
MIDDLE = 4.15
GUIDE_ROWS = ((30, 15, 5e-6), (60, 8, 3e-6), (120, 3, 2e-6))
"""Clips, epochs and LoRA rate in the public guide's table."""
CLIP_SECONDS = 1.0
"""Training time per clip; made up, like everything here."""
JITTER = 0.01
"""Standard deviation, in nats, between runs of the loss that decides a probe."""


class Setting(StrEnum):
    """What makes the curves of a set of worlds hard to predict, or its band unknown."""

    EVEN = "even"
    NOISY = "noisy"
    SPIKY = "spiky"
    UNEVEN = "uneven starts"
    """Not exponential: flat and then steep, linear, or falling mostly in the first third of each epoch."""
    UNKNOWN_BAND = "unknown band"
    """The search must find where adapters are accepted."""


class AcceptanceRule(StrEnum):
    """What decides, besides the loss, whether an adapter is accepted."""

    LOSS = "loss alone"
    RATE = "learning rate too"
    RANK = "rank too"
    LATE = "voice comes late"
    NARROW = "narrow"
    WIDE = "wide"
    ISLANDS = "two islands"


CLIP_SPREAD = {Setting.EVEN: (0.2, 0.02), Setting.NOISY: (0.6, 0.25)}
"""Standard deviations in nats: between clips, and of one clip over time."""
SPIKES = 0.01
"""Share of the losses in spiky worlds that are 2 to 10 nats too high."""


@dataclass(frozen=True)
class ProbeOutcome:
    """The verdict on an adapter."""

    accepted: bool
    score: float
    mended_by: TrainingAdvice | None
    seconds: float
    """Time that the probe took."""


@dataclass(frozen=True)
class TrainingRun:
    """The training of a draw. Index 0 is before the first optimizer step."""

    losses: np.ndarray
    """[steps + 1], each the mean over the last epoch's clips, with noise."""
    true: np.ndarray
    """[steps + 1], the same means without noise; they decide the probes."""
    seconds: np.ndarray
    """[steps + 1], cumulative training time."""
    steps_per_epoch: int

    def until(self, epochs: int) -> TrainingRun:
        """The first epochs."""
        steps = epochs * self.steps_per_epoch + 1
        return TrainingRun(self.losses[:steps], self.true[:steps], self.seconds[:steps], self.steps_per_epoch)


class SearchProblem(Protocol):
    """What a tuner searches: a simulated world, or the demo voice."""

    @property
    def space(self) -> Space: ...

    @property
    def clips(self) -> int:
        """Per epoch."""
        ...

    @property
    def manual_recipe(self) -> ManualRecipe: ...

    def run(self, draw: Draw, number: int) -> TrainingRun:
        """The `number`-th run of a search. Raises UsedUp where there are no more."""
        ...

    def probe(self, draw: Draw, true: float, number: int, step: int) -> ProbeOutcome:
        """Probes the checkpoint after `step` steps of that run, whose loss without noise is `true`."""
        ...


class NoRunsLeft(Exception):
    """The problem has no further run."""


@dataclass(frozen=True)
class ManualRecipe:
    """What a person without a tuner starts with, and the loss to stop at."""

    rank: int
    alpha_ratio: float
    text_projection_lr: float
    lora_lr: float
    epochs: int
    target: float
    """The loss to stop at."""


@dataclass(frozen=True)
class World:
    """A simulated voice, determined by setting, acceptance rule and number."""

    setting: Setting
    rule: AcceptanceRule
    number: int

    @cached_property
    def truth(self) -> GroundTruth:
        return GroundTruth(
            np.random.default_rng([list(Setting).index(self.setting), self.number]), self.setting, self.rule
        )

    @property
    def clips(self) -> int:
        return self.truth.clips

    @property
    def manual_recipe(self) -> ManualRecipe:
        """The public guide's settings for a similar number of clips."""
        clips, epochs, rate = min(GUIDE_ROWS, key=lambda row: abs(row[0] - self.clips))
        return ManualRecipe(rank=64, alpha_ratio=2, text_projection_lr=1e-7, lora_lr=rate, epochs=epochs, target=4.2)

    @cached_property
    def space(self) -> Space:
        """The space `voice`, with the guide's objective only."""
        voice = load_space("voice")
        band = AutoBand(auto_within=START_INTERVAL) if self.setting is Setting.UNKNOWN_BAND else GUIDE_BAND
        recipe = QwenRecipe(band=band, targets="guide")
        data = {**voice.model_dump(), "draw": {**voice.model_dump()["draw"], "objective": "guide"}}
        return Space.model_validate({**data, "objective": {Objective.GUIDE: recipe}})

    def run(self, draw: Draw, number: int) -> TrainingRun:
        """The `number`-th run of a search; its noise is the same for all tuners."""
        truth, chance = self.truth, np.random.default_rng([self.truth.noise_seed, number])
        clips, per_step = truth.clips, draw.clips_per_step
        steps = steps_per_epoch(clips, per_step)
        seen = np.minimum(np.arange(clips * draw.epochs) % clips // per_step, steps - 1)
        step_of = np.repeat(np.arange(draw.epochs), clips) * steps + seen
        true = truth.true_loss(step_of, draw, steps)
        orders = np.concatenate([chance.permutation(clips) for _ in range(draw.epochs)])
        losses = true + truth.of_clip[orders] + chance.normal(0, truth.within, true.shape)
        if self.setting is Setting.SPIKY:
            losses += (chance.random(true.shape) < SPIKES) * chance.uniform(2, 10, true.shape)
        ends = np.flatnonzero(np.diff(step_of, append=step_of[-1] + 1)) + 1
        first = truth.true_loss(np.zeros(1), draw, steps)[0]
        shown = first + float(np.mean(truth.of_clip[orders[:FIRST_PASS_CLIPS]]))
        if truth.diverges(draw):
            losses[clips // 4 :] = math.nan
        return TrainingRun(
            np.concatenate([[shown], _window_means(losses, ends, clips)]),
            np.concatenate([[first], _window_means(true, ends, clips)]),
            np.concatenate([[0.0], ends * CLIP_SECONDS]),
            steps,
        )

    def probe(self, draw: Draw, true: float, number: int, step: int) -> ProbeOutcome:
        """Probes the checkpoint after `step` steps of a run, whose loss without noise is `true`."""
        truth, chance = self.truth, np.random.default_rng([self.truth.noise_seed + 1, number, step])
        probe_loss = true + chance.normal(0, JITTER)
        score = truth.score(draw, probe_loss) + chance.normal(0, 0.003)
        low, high = truth.window
        seconds = PROBE_EPOCHS * truth.clips * CLIP_SECONDS
        if probe_loss > high:
            return ProbeOutcome(False, score, TrainingAdvice.MORE, seconds)
        if probe_loss < low or not truth.accepts(draw):
            return ProbeOutcome(False, score, TrainingAdvice.LESS, seconds)
        return ProbeOutcome(True, score, None, seconds)


class GroundTruth:
    """The parameters of a world, which a search does not see."""

    def __init__(self, chance: np.random.Generator, setting: Setting, rule: AcceptanceRule) -> None:
        self._rule = rule
        self.noise_seed = int(chance.integers(2**31))
        self.clips = int(chance.integers(24, 122))
        spread, self.within = CLIP_SPREAD.get(setting, (0.3, 0.08))
        of_clip = chance.normal(0, spread, self.clips)
        self.of_clip = of_clip - of_clip.mean()
        self._start, self._floor = chance.uniform(4.8, 5.6), chance.uniform(2.4, 3.2)
        self._slopes = chance.uniform(0.8, 1.1), chance.uniform(0.5, 1.1), chance.uniform(0.0, 0.6)
        # The LoRA rate at which α/r 2 and rank 32 cross the band in four epochs.
        self._rate = math.exp(chance.uniform(math.log(4e-6), math.log(4e-5)))
        self._kind = int(chance.integers(3)) if setting is Setting.UNEVEN else -1
        self.window = self._window(chance, setting)
        # The best adapter is independent of how fast the loss falls, but within reach.
        self._best_rate = self._rate * math.exp(chance.uniform(math.log(0.35), math.log(3.0)))
        self._best_rank, self._best_ratio = chance.choice([8, 16, 32, 64]), chance.choice([1, 2])
        self._best_loss = chance.uniform(*self.window)
        self._diverging = self._rate * math.exp(chance.uniform(math.log(8.0), math.log(60.0)))

    def _window(self, chance: np.random.Generator, setting: Setting) -> tuple[float, float]:
        middle = chance.uniform(4.13, 4.19)
        width = {AcceptanceRule.NARROW: 0.05, AcceptanceRule.WIDE: 0.4}.get(self._rule, 0.14)
        if self._rule is AcceptanceRule.LATE:
            middle, width = chance.uniform(4.09, 4.12), 0.08
        if setting is Setting.UNKNOWN_BAND:
            middle = chance.uniform(3.7, 4.4)
        return middle - width / 2, middle + width / 2

    def diverges(self, draw: Draw) -> bool:
        return draw.lora_lr * draw.alpha_ratio > 2 * self._diverging

    def true_loss(self, step: np.ndarray, draw: Draw, steps_per_epoch: int) -> np.ndarray:
        """The loss without noise after so many steps."""
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

    def accepts(self, draw: Draw) -> bool:
        off = math.log(draw.lora_lr / self._best_rate)
        if self._rule is AcceptanceRule.RATE:
            return abs(off) < math.log(2.5)
        if self._rule is AcceptanceRule.RANK:
            return abs(math.log2(draw.rank / self._best_rank)) <= 1
        if self._rule is AcceptanceRule.ISLANDS:
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
    """With four clips per step, as in the guide."""
    return steps_per_epoch(clips, 4)


def _window_means(losses: np.ndarray, ends: np.ndarray, clips: int) -> np.ndarray:
    summed = np.concatenate([[0.0], np.cumsum(losses)])
    begins = np.maximum(0, ends - clips)
    return (summed[ends] - summed[begins]) / (ends - begins)
