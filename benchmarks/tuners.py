"""Tuners that search a problem: ours and its peers. All have the same domains and the same budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from benchmarks.one_trial import run_trial
from benchmarks.search_cost import PROBE_EPOCHS, SearchCost
from benchmarks.worlds import SearchProblem, TrainingRun
from results.analysis.acceptance import AcceptanceModel, JudgedLoss
from search.proposals.bands import BandTracker
from search.proposals.distributions import shared_distributions, to_draw
from search.proposals.study import SearchStudy
from spaces.band import Band
from spaces.draw import Draw
from spaces.qwen3_tts import Objective
from spaces.records.trial import Outcome
from spaces.space import Space

RUNGS = (1, 3, 9)
"""Epochs of the rungs of Ray Tune's ASHA, with its default grace period of 1 and a reduction factor of 3."""
REDUCTION = 3
TRIALS = 2000
"""More than any budget here pays for."""


@dataclass(frozen=True)
class ProbeEvent:
    """The outcome of a probe, and the cost up to it."""

    spent: SearchCost
    accepted: bool
    score: float


TunerEvent = ProbeEvent | SearchCost
Tuner = Callable[[SearchProblem, int], Iterator[TunerEvent]]
"""Yields each probe, and the cost after each trial, for as long as there are runs."""

NEAR = 0.3
"""Nats above the target within which a person listens anyway."""


class HeardBands(BandTracker):
    """Bands that move with the probes of simulated trials alone, which say what would mend a rejection."""

    def __init__(self, space: Space) -> None:
        super().__init__(space)
        self.heard: list[JudgedLoss] = []

    def add(self, outcome: Outcome) -> None:
        """Does nothing: what counts is `heard`."""

    def current_band(self, objective: Objective) -> Band:
        start = self._space.band(objective)
        return AcceptanceModel(self.heard, start).band() if self._space.is_auto(objective) else start


def ours(world: SearchProblem, seed: int) -> Iterator[TunerEvent]:
    """The study, the stopping rule and the second chance of a search, one trial at a time."""
    bands, spent = HeardBands(world.space), SearchCost()
    study = SearchStudy(world.space, seed, TRIALS, world.clips, bands)
    for number in range(TRIALS):
        draw = study.ask(str(number))
        trial = run_trial(world, draw, bands.band_for(str(number), draw), number)
        study.tell(trial.outcome, trial.curve)
        for each in trial.heard:
            bands.heard.append(JudgedLoss(each.point.loss, each.result.accepted, each.result.mended_by))
            yield ProbeEvent(spent + each.spent, each.result.accepted, each.result.score)
        spent += trial.spent
        yield spent


def random_search(world: SearchProblem, seed: int) -> Iterator[TunerEvent]:
    """Trains random draws to their end and probes the last checkpoint."""
    return _to_the_end(world, RandomSampler(seed=seed), asha=False)


def tpe(world: SearchProblem, seed: int) -> Iterator[TunerEvent]:
    """Optuna's TPE on the final loss."""
    return _to_the_end(world, TPESampler(seed=seed), asha=False)


def asha(world: SearchProblem, seed: int) -> Iterator[TunerEvent]:
    """TPE, with trials stopped by Ray Tune's ASHA."""
    return _to_the_end(world, TPESampler(seed=seed), asha=True)


def tpe_probing(world: SearchProblem, seed: int) -> Iterator[TunerEvent]:
    """TPE on the score, probing checkpoints along the curve."""
    return _along_the_curve(world, TPESampler(seed=seed), asha=False)


def asha_probing(world: SearchProblem, seed: int) -> Iterator[TunerEvent]:
    """The same with ASHA."""
    return _along_the_curve(world, TPESampler(seed=seed), asha=True)


def guide(world: SearchProblem, seed: int) -> Iterator[TunerEvent]:
    """A person with the public guide: its settings for so many clips, stopped by hand at the target loss; then its
    remedies, a lower rate when speech is garbled, and a higher rate or more epochs when the voice is weak.
    """
    space, recipe, spent = world.space, world.manual_recipe, SearchCost()
    (least, fastest), longest = space.draw["lora_lr"].boundary_values(), max(space.draw["epochs"].boundary_values())
    rate, epochs = recipe.lora_lr, recipe.epochs
    usual = {name: getattr(recipe, name) for name in ("rank", "alpha_ratio", "text_projection_lr")}
    for number in range(TRIALS):
        draw = to_draw(space, {**usual, "objective": space.objectives[0], "lora_lr": rate, "epochs": epochs})
        run = world.run(draw, number)
        ends = range(run.steps_per_epoch, len(run.losses), run.steps_per_epoch)
        step = next((step for step in ends if run.losses[step] <= recipe.target), ends[-1])
        spent += _trained(run, step)
        loss = run.losses[step]
        weaker, more = max(least, rate / 1.5), min(fastest, rate * 1.5)
        if loss <= recipe.target + NEAR:
            probe, mended_by = _listen(world, draw, run, number, step, spent)
            spent = probe.spent
            yield probe
            if not probe.accepted:
                rate = more if mended_by == "more" else weaker
        elif math.isfinite(loss):
            # Too far from the target for a change by half.
            rate, epochs = min(fastest, rate * 2), min(longest, epochs + 3)
        else:
            rate = weaker
        yield spent


def _listen(
    world: SearchProblem, draw: Draw, run: TrainingRun, number: int, step: int, spent: SearchCost
) -> tuple[ProbeEvent, str | None]:
    result = world.probe(draw, float(run.true[step]), number, step)
    return ProbeEvent(spent + SearchCost(PROBE_EPOCHS, result.seconds), result.accepted, result.score), result.mended_by


def _trained(run: TrainingRun, step: int, since: int = 0) -> SearchCost:
    """Cost of training from one step to another."""
    return SearchCost((step - since) / run.steps_per_epoch, float(run.seconds[step] - run.seconds[since]))


def _to_the_end(world: SearchProblem, sampler: BaseSampler, asha: bool) -> Iterator[TunerEvent]:
    study, rungs, spent = optuna.create_study(sampler=sampler), _Rungs(), SearchCost()
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


def _along_the_curve(world: SearchProblem, sampler: BaseSampler, asha: bool) -> Iterator[TunerEvent]:
    study, rungs, spent = optuna.create_study(direction="maximize", sampler=sampler), _Rungs(), SearchCost()
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


def _asked(study: optuna.Study, world: SearchProblem) -> tuple[optuna.Trial, Draw]:
    space = world.space
    trial = study.ask(shared_distributions(space))
    return trial, to_draw(space, trial.params)


def epoch_step(run: TrainingRun, epoch: int) -> int:
    return epoch * run.steps_per_epoch


class _Rungs:
    """Ray Tune's AsyncHyperBandScheduler with one bracket: at a rung, a trial continues if its loss is among the best
    third so far."""

    def __init__(self) -> None:
        self._seen: dict[int, list[float]] = {rung: [] for rung in RUNGS}

    def stops(self, epoch: int, loss: float) -> bool:
        if epoch not in self._seen:
            return False
        seen = self._seen[epoch]
        cutoff = np.nanpercentile(seen, 100 / REDUCTION) if seen and not np.isnan(seen).all() else math.inf
        seen.append(loss)
        return not loss <= cutoff
