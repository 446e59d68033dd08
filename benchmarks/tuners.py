"""Ways to search a world, each told only what it could see. All have the same domains and the same budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from benchmarks.one_trial import run_trial
from benchmarks.spent import PROBE_EPOCHS, Spent
from benchmarks.worlds import Run, Searched
from results.analysis.acceptance import AcceptanceModel, JudgedLoss
from search.proposals.distributions import shared_distributions, to_draw
from search.proposals.study import SearchStudy
from spaces.band import Band
from spaces.draw import Draw, Objective

RUNGS = (1, 3, 9)
"""Epochs after which Ray Tune's ASHA looks, with its default grace period of 1, and a reduction factor of 3."""
REDUCTION = 3
TRIALS = 2000
"""More than any budget here pays for."""


@dataclass(frozen=True)
class Probe:
    """What was heard, and what had been spent by then."""

    spent: Spent
    accepted: bool
    score: float


Said = Probe | Spent
Tuner = Callable[[Searched, int], Iterator[Said]]
"""Yields each probe, and after each trial what was spent so far, for as long as it is asked and there are runs."""

NEAR = 0.3
"""So many nats above his target, a person listens anyway."""


def ours(world: Searched, seed: int) -> Iterator[Said]:
    """The study, the band's rule and the second chance of a search, one trial at a time."""
    space, heard, spent = world.space, [], Spent()

    def band_of(objective: Objective) -> Band:
        start = space.band(objective)
        return AcceptanceModel(heard, start).band() if space.is_auto(objective) else start

    draws = SearchStudy(space, seed, TRIALS, world.clips, band_of)
    for number in range(TRIALS):
        draw = draws.ask(str(number))
        band = band_of(draw.objective)
        trial = run_trial(world, draw, band, number)
        draws.tell(trial.outcome, band, trial.curve)
        for each in trial.heard:
            heard.append(JudgedLoss(each.point.loss, each.sound.accepted, each.sound.mended_by))
            yield Probe(spent + each.spent, each.sound.accepted, each.sound.score)
        spent += trial.spent
        yield spent


def at_random(world: Searched, seed: int) -> Iterator[Said]:
    """Trains each draw for its epochs and listens to what comes out."""
    return _to_the_end(world, RandomSampler(seed=seed), asha=False)


def tpe(world: Searched, seed: int) -> Iterator[Said]:
    """Optuna's TPE on the final loss."""
    return _to_the_end(world, TPESampler(seed=seed), asha=False)


def asha(world: Searched, seed: int) -> Iterator[Said]:
    """TPE, with trials stopped by the rule of Ray Tune's ASHA."""
    return _to_the_end(world, TPESampler(seed=seed), asha=True)


def tpe_probing(world: Searched, seed: int) -> Iterator[Said]:
    """TPE on the score, given checkpoints and probes along the curve."""
    return _along_the_curve(world, TPESampler(seed=seed), asha=False)


def asha_probing(world: Searched, seed: int) -> Iterator[Said]:
    """The same with ASHA."""
    return _along_the_curve(world, TPESampler(seed=seed), asha=True)


def guide(world: Searched, seed: int) -> Iterator[Said]:
    """A person with the public guide: its settings for so many clips, stopped by hand at the target loss; then the
    remedies of its table of troubles, lower rates and fewer epochs when speech garbles and higher ones when it is weak.
    """
    space, habit, spent = world.space, world.habit, Spent()
    (least, fastest), longest = space.draw["lora_lr"].boundary_values(), max(space.draw["epochs"].boundary_values())
    rate, epochs = habit.lora_lr, habit.epochs
    usual = {name: getattr(habit, name) for name in ("rank", "alpha_ratio", "text_projection_lr")}
    for number in range(TRIALS):
        draw = to_draw(space, {**usual, "objective": space.objectives[0], "lora_lr": rate, "epochs": epochs})
        run = world.run(draw, number)
        ends = range(run.steps_per_epoch, len(run.losses), run.steps_per_epoch)
        step = next((step for step in ends if run.losses[step] <= habit.target), ends[-1])
        spent += _trained(run, step)
        loss = run.losses[step]
        weaker, more = max(least, rate / 1.5), min(fastest, rate * 1.5)
        if loss <= habit.target + NEAR:
            probe, mended_by = _listen(world, draw, run, number, step, spent)
            spent = probe.spent
            yield probe
            if not probe.accepted:
                rate = more if mended_by == "more" else weaker
        elif math.isfinite(loss):
            # Further from the target than a remedy by half would mend.
            rate, epochs = min(fastest, rate * 2), min(longest, epochs + 3)
        else:
            rate = weaker
        yield spent


def _listen(world: Searched, draw: Draw, run: Run, number: int, step: int, spent: Spent) -> tuple[Probe, str | None]:
    sound = world.sound(draw, float(run.true[step]), number, step)
    return Probe(spent + Spent(PROBE_EPOCHS, sound.seconds), sound.accepted, sound.score), sound.mended_by


def _trained(run: Run, step: int, since: int = 0) -> Spent:
    """From one step to another."""
    return Spent((step - since) / run.steps_per_epoch, float(run.seconds[step] - run.seconds[since]))


def _to_the_end(world: Searched, sampler: BaseSampler, asha: bool) -> Iterator[Said]:
    study, rungs, spent = optuna.create_study(sampler=sampler), _Rungs(), Spent()
    for number in range(TRIALS):
        trial, draw = _asked(study, world)
        run = world.run(draw, number)
        losses = run.losses[:: run.steps_per_epoch]
        stopped = (epoch for epoch in range(1, draw.epochs + 1) if asha and rungs.stops(epoch, losses[epoch]))
        step = epoch_step(run, next(stopped, draw.epochs))
        spent += _trained(run, step)
        loss = float(run.losses[step])
        if math.isfinite(loss):
            study.tell(trial, loss)
            probe, _ = _listen(world, draw, run, number, step, spent)
            spent = probe.spent
            yield probe
        else:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        yield spent


def _along_the_curve(world: Searched, sampler: BaseSampler, asha: bool) -> Iterator[Said]:
    study, rungs, spent = optuna.create_study(direction="maximize", sampler=sampler), _Rungs(), Spent()
    band = world.space.band(world.space.objectives[0])
    for number in range(TRIALS):
        trial, draw = _asked(study, world)
        run = world.run(draw, number)
        best, probes = 0.0, 0
        for epoch in range(1, draw.epochs + 1):
            step = epoch_step(run, epoch)
            spent += _trained(run, step, since=epoch_step(run, epoch - 1))
            loss = run.losses[step]
            if loss in band and probes < 2:
                probe, _ = _listen(world, draw, run, number, step, spent)
                probes, spent = probes + 1, probe.spent
                best = max(best, probe.score if probe.accepted else 0.0)
                yield probe
            if not loss >= band.low or probes == 2 or (asha and rungs.stops(epoch, loss)):
                break
        study.tell(trial, best)
        yield spent


def _asked(study: optuna.Study, world: Searched) -> tuple[optuna.Trial, Draw]:
    space = world.space
    trial = study.ask(shared_distributions(space))
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
