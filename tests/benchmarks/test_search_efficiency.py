"""Simulated worlds, and the tuners that search them."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import pytest

from benchmarks.contest import NEVER, TUNERS, measure
from benchmarks.one_trial import run_trial
from benchmarks.search_cost import PROBE_EPOCHS
from benchmarks.search_efficiency import EQUAL_EPOCHS, best_of_reference, limits
from benchmarks.tuners import ProbeEvent, ours
from benchmarks.worlds import CLIP_SECONDS, GUIDE_BAND, AcceptanceRule, Setting, World
from spaces.draw import Draw
from spaces.records.trial import Ending
from trainable.training.outcome import TrainingAdvice

WORLDS = [World(setting, rule, 1000 + number) for number, (setting, rule) in enumerate(zip(Setting, AcceptanceRule))]  # noqa: B905


def draw(world: World, epochs: int = 12, **changes) -> Draw:
    """One that crosses after about four epochs."""
    known = {"rank": 32, "alpha_ratio": 2, "lora_lr": world.truth._rate, "epochs": epochs, **changes}
    middle = {name: domain.boundary_values()[0] for name, domain in world.space.draw.items()}
    return world.space.to_draw({**middle, **known})


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.setting.value)
def test_ours_finds_an_accepted_adapter_in_every_kind_of_world(world):
    found = (event for event in ours(world, world.number) if not isinstance(event, ProbeEvent) or event.accepted)
    first = next(event for event in found if isinstance(event, ProbeEvent) or event.epochs > 300)
    assert isinstance(first, ProbeEvent)


def test_a_world_is_deterministic():
    for world in WORLDS:
        again = World(world.setting, world.rule, world.number)
        one, two = (each.run(draw(world), 3) for each in (world, again))
        assert np.array_equal(one.losses, two.losses)
        assert list(islice(ours(world, 1), 6)) == list(islice(ours(again, 1), 6))


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.setting.value)
def test_a_run_falls_to_the_band_with_little_noise(world):
    run = world.run(draw(world), 0)
    epochs = slice(run.steps_per_epoch, None, run.steps_per_epoch)
    assert len(run.losses) == len(run.true) == 12 * run.steps_per_epoch + 1
    assert np.all(np.diff(run.true[epochs]) <= 1e-9)
    assert run.true[4 * run.steps_per_epoch] < 4.9
    assert run.true[8 * run.steps_per_epoch] < 4.15
    assert np.abs(run.losses - run.true)[epochs].max() < 0.6


def test_a_faster_draw_crosses_sooner_and_an_extreme_one_diverges():
    world = WORLDS[0]
    slow, fast = (world.run(draw(world, lora_lr=world.truth._rate * times), 0) for times in (0.7, 1.5))
    assert fast.true[-1] < slow.true[-1]
    assert math.isnan(world.run(draw(world, lora_lr=2e-4 if world.truth._diverging < 2e-4 else 1.0), 0).losses[-1])


def test_probes_ask_for_more_training_above_the_window_and_less_below():
    world = World(Setting.EVEN, AcceptanceRule.LOSS, 5)
    low, high = world.truth.window
    outcomes = [world.probe(draw(world), loss, 0, 9) for loss in (high + 0.1, (low + high) / 2, low - 0.1)]
    assert [outcome.mended_by for outcome in outcomes] == [TrainingAdvice.MORE, None, TrainingAdvice.LESS]
    assert [outcome.accepted for outcome in outcomes] == [False, True, False]


def test_a_trial_ends_in_its_band_and_pays_for_its_probe():
    world = World(Setting.EVEN, AcceptanceRule.LOSS, 5)
    trial = run_trial(world, draw(world), GUIDE_BAND, 0)
    assert trial.outcome.ending is Ending.IN_BAND
    assert trial.outcome.kept.loss in GUIDE_BAND
    assert trial.spent.epochs == trial.curve[-1].epoch + PROBE_EPOCHS * len(trial.heard)
    assert trial.spent.seconds == pytest.approx(trial.spent.epochs * world.clips * CLIP_SECONDS)
    assert trial.outcome.accepted == any(each.result.accepted for each in trial.heard)


def test_a_rejected_late_voice_is_probed_again_at_a_lower_loss():
    world = next(
        w
        for w in (World(Setting.EVEN, AcceptanceRule.LATE, number) for number in range(99))
        if w.truth.window[1] < 4.15
    )
    trial = run_trial(world, draw(world), GUIDE_BAND, 0)
    assert len(trial.heard) == 2
    assert trial.heard[1].point.loss < trial.heard[0].point.loss
    assert trial.outcome.kept == max(trial.heard, key=lambda each: each.result.accepted).point


@pytest.mark.parametrize("name", TUNERS)
def test_every_tuner_continues_on_demand_at_rising_cost(name):
    event = list(islice(TUNERS[name](WORLDS[0], 1), 12))
    spent = [each.spent if isinstance(each, ProbeEvent) else each for each in event]
    assert len(event) == 12
    assert spent == sorted(spent)
    assert spent[0].epochs > 0
    assert [each.seconds for each in spent] == pytest.approx([each.epochs * WORLDS[0].clips for each in spent])


def test_measures_count_accepted_adapters_only():
    world = World(Setting.EVEN, AcceptanceRule.LOSS, 5)
    reference = best_of_reference(world)
    result = measure(world, "ours", 5, limits(60.0), reference)
    assert 0.5 < reference < 0.9
    assert result.first <= result.nearly_best
    assert len(result.best_at) == len(EQUAL_EPOCHS)
    assert measure(world, "ours", 5, limits(0.5), reference).first == NEVER
