"""Predicting when a draw's loss enters its band, from other runs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.proposals.crossing_model import CrossingModel
from spaces.band import Band
from spaces.draw import Draw
from spaces.qwen3_tts import SLOPES, Objective, QwenDraw
from spaces.space import load_space
from tests.support.made_curves import exponential, linear, observed

CLIPS = 32
STEPS = 8
BAND = Band(low=4.1, high=4.2)


def draw(lora_lr: float = 1e-5, epochs: int = 12, rank: int = 32, **changes) -> Draw:
    fields = {"objective": "guide", "alpha_ratio": 2, "text_projection_lr": 0, "targets": "guide", **changes}
    return QwenDraw(lora_lr=lora_lr, epochs=epochs, rank=rank, **fields)


def crossed_after(epochs: float, of: Draw) -> CrossingModel:
    """A model of one run, which reached 4.15 after `epochs` epochs."""
    model = CrossingModel(CLIPS, SLOPES)
    model.learn(of, observed(linear(5.0, 4.15, epochs), math.ceil(epochs) + 1, CLIPS))
    return model


def epochs_to_cross(model: CrossingModel, of: Draw) -> float:
    return math.exp(model.crossing(of, BAND)[0]) / STEPS


def test_without_runs_every_draw_is_worth_starting():
    for lora_lr in (1e-7, 1e-5, 1e-3):
        assert CrossingModel(CLIPS, SLOPES).prospect(draw(lora_lr, epochs=3), BAND).violation == 0


@pytest.mark.parametrize("epochs", [1.0, 4.0, 9.0])
def test_the_same_draw_is_predicted_to_cross_where_it_did(epochs):
    assert epochs_to_cross(crossed_after(epochs, draw()), draw()) == pytest.approx(epochs, rel=0.15)


@pytest.mark.parametrize(
    ("other", "times"), [(draw(5e-6), 2.0), (draw(2e-5), 0.5), (draw(1e-6), 10.0), (draw(alpha_ratio=1), 2**0.8)]
)
def test_one_run_predicts_other_learning_rates(other, times):
    model = crossed_after(4.0, draw())
    found = epochs_to_cross(model, other) / epochs_to_cross(model, draw())
    assert found == pytest.approx(times, rel=0.05)
    assert model.crossing(other, BAND)[1] > model.crossing(draw(), BAND)[1]


def test_runs_outweigh_the_prior():
    """Here twice the rate needs only 0.7 times the steps."""
    model = CrossingModel(CLIPS, SLOPES)
    for lora_lr in (2.5e-6, 5e-6, 1e-5, 2e-5, 4e-5):
        epochs = 4.0 * (lora_lr / 1e-5) ** -0.5
        model.learn(draw(lora_lr), observed(linear(5.0, 4.15, epochs), math.ceil(epochs) + 1, CLIPS))
    slope = math.log(epochs_to_cross(model, draw(8e-5)) / epochs_to_cross(model, draw(4e-5))) / math.log(2)
    assert -0.75 < slope < -0.45


def test_a_run_that_hardly_fell_rules_out_only_slower_draws():
    model = CrossingModel(CLIPS, SLOPES)
    model.learn(draw(), observed(linear(5.0, 4.97, 8), 8, CLIPS))
    assert model.prospect(draw(1e-6), BAND).violation > 0
    assert model.prospect(draw(2e-4), BAND).violation == 0


def test_a_run_that_was_below_the_band_at_once_rules_out_faster_draws():
    model = CrossingModel(CLIPS, SLOPES)
    model.learn(draw(1e-3), observed(exponential(5.0, 2.0, 6, 0.5), 1, CLIPS))
    assert model.prospect(draw(5e-3), BAND).violation > 0
    assert model.prospect(draw(1e-5), BAND).violation == 0


def test_too_few_epochs_are_not_worth_starting():
    model = crossed_after(8.0, draw())
    assert model.prospect(draw(epochs=3), BAND).violation > 0
    assert model.prospect(draw(epochs=12), BAND).violation == 0


def test_a_warm_up_over_the_whole_run_halves_its_effective_steps():
    model = crossed_after(8.0, draw())
    assert model.prospect(draw(epochs=10, warmup=80), BAND).violation > 0
    assert model.prospect(draw(epochs=10), BAND).violation == 0


def test_objectives_are_independent():
    model = crossed_after(8.0, draw())
    other = draw(1e-7, epochs=1, objective="aligned")
    assert model.crossing(other, BAND) == CrossingModel(CLIPS, SLOPES).crossing(other, BAND)


@pytest.mark.parametrize("broken", ["nan", "late"])
def test_nothing_is_learned_from_a_broken_curve(broken):
    curve = observed(linear(5.0, 4.0, 4), 4, CLIPS)
    if broken == "nan":
        curve.append(curve[-1].model_copy(update={"step": 99, "loss": math.nan}))
    else:
        curve = curve[3:]
    model = CrossingModel(CLIPS, SLOPES)
    model.learn(draw(), curve)
    assert model.crossing(draw(), BAND) == CrossingModel(CLIPS, SLOPES).crossing(draw(), BAND)


def test_the_guides_table_predicts_its_own_runs():
    space = load_space("alexandria")
    for clips, lora_lr, least, most in ((61, 1e-6, 5, 15), (121, 2e-6, 1, 5), (121, 5e-6, 0.4, 2)):
        model = CrossingModel(clips, SLOPES, space.evidence)
        of = draw(lora_lr, rank=64)
        crossing = math.exp(model.crossing(of, space.band(Objective.GUIDE))[0]) / math.ceil(clips / 4)
        assert least < crossing < most


def test_a_run_of_this_voice_outweighs_all_others():
    evidence = load_space("alexandria").evidence
    model = CrossingModel(CLIPS, SLOPES, evidence)
    own = draw(1e-6, rank=64)
    model.learn(own, observed(linear(5.0, 4.15, 3.0), 4, CLIPS))
    assert epochs_to_cross(CrossingModel(CLIPS, SLOPES, evidence), own) > 8
    assert epochs_to_cross(model, own) == pytest.approx(3.0, rel=0.35)


@given(
    fell=st.floats(0.0, 2.0),
    over=st.floats(0.5, 6.0),
    lora_lr=st.floats(1e-7, 1e-3),
    epochs=st.integers(1, 30),
)
def test_more_epochs_never_make_a_late_draw_worse(fell, over, lora_lr, epochs):
    model = CrossingModel(CLIPS, SLOPES)
    model.learn(draw(), observed(linear(5.0, 5.0 - fell, over), math.ceil(over), CLIPS))
    few, many = (model.prospect(draw(lora_lr, each), BAND) for each in (epochs, epochs + 1))
    assert few.violation >= many.violation >= 0
    assert few.epochs <= epochs
    assert few.epochs <= many.epochs
