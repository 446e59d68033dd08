"""Ways to search a made-up world, each told only what it could see. All have the same domains and the same budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from benchmarks.one_trial import PROBE_EPOCHS, run_trial
from benchmarks.worlds import Run, World
from results.acceptance import Heard, acceptance
from search.domains import distributions, to_draw
from search.draws import Draws
from spaces.band import Band
from spaces.draw import Draw, Objective

RUNGS = (1, 3, 9)
"""Epochs after which Ray Tune's ASHA looks, with its default grace period of 1, and a reduction factor of 3."""
REDUCTION = 3
TRIALS = 2000
"""More than any budget here pays for."""


@dataclass(frozen=True)
class Probe:
    """What was heard, and the epochs that had been spent by then, a probe among them as PROBE_EPOCHS."""

    spent: float
    accepted: bool
    score: float


Tuner = Callable[[World, int], Iterator[Probe | float]]
"""Yields each probe, and after each trial the epochs spent so far, for as long as it is asked."""


def ours(world: World, seed: int) -> Iterator[Probe | float]:
    """The study, the band's rule and the second chance of a search, one trial at a time."""
    space, heard, spent = world.space, [], 0.0

    def band_of(objective: Objective) -> Band:
        start = space.band(objective)
        return acceptance(heard, start).band() if space.is_auto(objective) else start

    draws = Draws(space, seed, TRIALS, world.clips, band_of)
    for number in range(TRIALS):
        draw = draws.ask(str(number))
        band = band_of(draw.objective)
        trial = run_trial(world, draw, band, number)
        draws.tell(trial.outcome, band, trial.curve)
        for each in trial.heard:
            heard.append(Heard(each.point.loss, each.sound.accepted, each.sound.mended_by))
            yield Probe(spent + each.spent, each.sound.accepted, each.sound.score)
        spent += trial.spent
        yield spent


def at_random(world: World, seed: int) -> Iterator[Probe | float]:
    """Trains each draw for its epochs and listens to what comes out."""
    return _to_the_end(world, RandomSampler(seed=seed), asha=False)


def tpe(world: World, seed: int) -> Iterator[Probe | float]:
    """Optuna's TPE on the final loss."""
    return _to_the_end(world, TPESampler(seed=seed), asha=False)


def asha(world: World, seed: int) -> Iterator[Probe | float]:
    """TPE, with trials stopped by the rule of Ray Tune's ASHA."""
    return _to_the_end(world, TPESampler(seed=seed), asha=True)


def tpe_probing(world: World, seed: int) -> Iterator[Probe | float]:
    """TPE on the score, given checkpoints and probes along the curve."""
    return _along_the_curve(world, TPESampler(seed=seed), asha=False)


def asha_probing(world: World, seed: int) -> Iterator[Probe | float]:
    """The same with ASHA."""
    return _along_the_curve(world, TPESampler(seed=seed), asha=True)


def guide(world: World, seed: int) -> Iterator[Probe | float]:
    """A person with the public guide: its settings for so many clips, stopped by hand at the target loss; then the
    remedies of its table of troubles, lower rates and fewer epochs when speech garbles and higher ones when it is weak.
    """
    clips, epochs, rate = min(
        ((30, 15, 5e-6), (60, 8, 3e-6), (120, 3, 2e-6)), key=lambda row: abs(row[0] - world.clips)
    )
    space, spent = world.space, 0.0
    usual = {"rank": 64, "alpha_ratio": 2, "text_projection_lr": 1e-7}
    for number in range(TRIALS):
        draw = to_draw(space, {**usual, "lora_lr": rate, "epochs": epochs})
        run = world.run(draw, number)
        ends = range(run.steps_per_epoch, len(run.losses), run.steps_per_epoch)
        step = next((step for step in ends if run.losses[step] <= 4.2), ends[-1])
        spent += step / run.steps_per_epoch
        loss = run.losses[step]
        weaker, more = max(1e-6, rate / 1.5), min(2e-4, rate * 1.5)
        if loss <= 4.5:
            probe, mended_by = _listen(world, draw, run, number, step, spent)
            spent = probe.spent
            yield probe
            if not probe.accepted:
                rate = more if mended_by == "more" else weaker
        elif math.isfinite(loss):
            # Further from the target than a remedy by half would mend.
            rate, epochs = min(2e-4, rate * 2), min(15, epochs + 3)
        else:
            rate = weaker
        yield spent


def _listen(world: World, draw: Draw, run: Run, number: int, step: int, spent: float) -> tuple[Probe, str | None]:
    sound = world.sound(draw, float(run.true[step]), number, step)
    return Probe(spent + PROBE_EPOCHS, sound.accepted, sound.score), sound.mended_by


def _to_the_end(world: World, sampler: BaseSampler, asha: bool) -> Iterator[Probe | float]:
    study, rungs, spent = optuna.create_study(sampler=sampler), _Rungs(), 0.0
    for number in range(TRIALS):
        trial, draw = _asked(study, world)
        run = world.run(draw, number)
        losses = run.losses[:: run.steps_per_epoch]
        epoch = next((epoch for epoch in range(1, draw.epochs + 1) if asha and rungs.stops(epoch, losses[epoch])), None)
        spent += epoch or draw.epochs
        loss = float(losses[epoch or draw.epochs])
        if math.isfinite(loss):
            study.tell(trial, loss)
            probe, _ = _listen(world, draw, run, number, epoch_step(run, epoch or draw.epochs), spent)
            spent = probe.spent
            yield probe
        else:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        yield spent


def _along_the_curve(world: World, sampler: BaseSampler, asha: bool) -> Iterator[Probe | float]:
    study, rungs, spent = optuna.create_study(direction="maximize", sampler=sampler), _Rungs(), 0.0
    band = world.space.band(Objective.GUIDE)
    for number in range(TRIALS):
        trial, draw = _asked(study, world)
        run = world.run(draw, number)
        best, probes = 0.0, 0
        for epoch in range(1, draw.epochs + 1):
            spent += 1
            loss = run.losses[epoch_step(run, epoch)]
            if loss in band and probes < 2:
                probe, _ = _listen(world, draw, run, number, epoch_step(run, epoch), spent)
                probes, spent = probes + 1, probe.spent
                best = max(best, probe.score if probe.accepted else 0.0)
                yield probe
            if not loss >= band.low or probes == 2 or (asha and rungs.stops(epoch, loss)):
                break
        study.tell(trial, best)
        yield spent


def _asked(study: optuna.Study, world: World) -> tuple[optuna.Trial, Draw]:
    space = world.space
    trial = study.ask(distributions(space))
    return trial, to_draw(space, trial.params)


def epoch_step(run: Run, epoch: int) -> int:
    return epoch * run.steps_per_epoch


class _Rungs:
    """Ray Tune's AsyncHyperBandScheduler, one bracket: at a rung, a trial goes on when its loss is among the best third
    of those that came so far."""

    def __init__(self) -> None:
        self._seen: dict[int, list[float]] = {rung: [] for rung in RUNGS}

    def stops(self, epoch: int, loss: float) -> bool:
        if epoch not in self._seen:
            return False
        seen = self._seen[epoch]
        cutoff = np.nanpercentile(seen, 100 / REDUCTION) if seen and not np.isnan(seen).all() else math.inf
        seen.append(loss)
        return not loss <= cutoff
