"""Grades, influence of hyperparameters, GPU time and advice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from results.analysis.advice import ADVICE, RUSHED, advice
from results.analysis.costs import costs
from results.analysis.grading import grade_values, word_error_rate
from results.analysis.influence import influences
from results.run.ledger import FinalistHeard, Ledger, read_ledger
from spaces.grades import Grade, Grades, Scale
from spaces.qwen3_tts import Objective
from spaces.records.confirmation import Confirmation
from spaces.records.trial import Ending
from tests.support import made_runs
from trainable.probe.criteria.criteria_table import Flag


@pytest.mark.parametrize(
    ("bounds", "value", "grade"),
    [
        ([2.5, 3.5, 4.2], 2.4, Grade.BELOW),
        ([2.5, 3.5, 4.2], 2.5, Grade.MINIMUM),
        ([2.5, 3.5, 4.2], 4.0, Grade.TARGET),
        ([2.5, 3.5, 4.2], 4.2, Grade.EXCELLENT),
        ([0.4, 0.25, 0.15], 0.41, Grade.BELOW),
        ([0.4, 0.25, 0.15], 0.25, Grade.TARGET),
        ([0.4, 0.25, 0.15], 0.0, Grade.EXCELLENT),
    ],
)
def test_a_scale_may_rise_or_fall(bounds: list[float], value: float, grade: Grade) -> None:
    assert Scale.model_validate(bounds).grade(value) is grade


@pytest.mark.parametrize("bounds", [[1, 3, 2], [1, 1, 2], [1, 2], [1.0, float("nan"), 2.0]])
def test_a_scale_without_an_order_is_refused(bounds: list[float]) -> None:
    with pytest.raises(ValidationError):
        Scale.model_validate(bounds)


def test_measures_with_a_scale_and_a_value_are_graded() -> None:
    falling = [3.0, 2.0, 1.0]
    grades = Grades.model_validate(
        {"loss": falling, "validation_loss": falling, "wer": [0.4, 0.2, 0.1], "similarity": [0.5, 0.7, 0.95]}
    )
    heard = made_runs.verdict([0.9, 0.9])
    lines = tuple(
        line.model_copy(update={"text": "four words are spoken", "heard": heard})
        for line, heard in zip(heard.lines, ("four words are spoken", "four words is"), strict=True)
    )
    found = grade_values(grades, Objective.ALIGNED, made_runs.point(9, 1.8), heard.model_copy(update={"lines": lines}))
    assert {name: (pytest.approx(value), grade) for name, (value, grade) in found.items()} == {
        "loss": (1.8, Grade.TARGET),
        "wer": (0.25, Grade.MINIMUM),
        "similarity": (0.9, Grade.TARGET),
    }
    assert grade_values(Grades(), Objective.ALIGNED, made_runs.point(9, 1.8), heard) == {}
    assert grade_values(grades, None, None, None) == {}


def test_without_a_recogniser_there_is_no_word_error_rate() -> None:
    heard = made_runs.verdict([0.9])
    deaf = heard.model_copy(update={"lines": (heard.lines[0].model_copy(update={"heard": None}),)})
    assert word_error_rate(deaf) is None


def outcomes(rates: list[float], scores: list[float]) -> list:
    return [
        made_runs.outcome(f"t{at}", verdict=made_runs.verdict([score]), drawn=made_runs.draw(lora_lr=rate))
        for at, (rate, score) in enumerate(zip(rates, scores, strict=True))
    ]


def test_a_parameter_that_orders_the_scores_is_significant() -> None:
    rates = [1e-4 * 2**at for at in range(8)]
    [found] = influences(outcomes(rates, [0.9 - 0.05 * at for at in range(8)]))
    assert (found.parameter, found.correlation, found.is_significant) == ("lora_lr", pytest.approx(-1.0), True)
    assert str(found).startswith("lora_lr: lower is better (ρ -1.00, p 0.0")


def test_a_correlation_that_chance_explains_says_so() -> None:
    [found] = influences(outcomes([1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4], [0.5, 0.9, 0.6, 0.8, 0.7, 0.55]))
    assert not found.is_significant and "may be chance" in str(found)


@pytest.mark.parametrize(("count", "told"), [(5, 0), (6, 1)])
def test_few_trials_give_no_influences(count: int, told: int) -> None:
    found = influences(outcomes([1e-4 * (at + 1) for at in range(count)], [0.1 * at for at in range(count)]))
    assert len(found) == told


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=6, max_size=12))
def test_equal_values_have_no_influence(scores: list[float]) -> None:
    assert influences(outcomes([1e-3] * len(scores), scores)) == []


def test_gpu_time_spent_and_saved(tmp_path) -> None:
    run = made_runs.write_run(tmp_path)
    final = Confirmation(
        trial="t1", weaker=(), confirmed=made_runs.verdict([0.7]), unseen=60, instructed=(), seconds=30.0
    )
    Ledger(run.ledger).append(FinalistHeard(final=final))
    history = read_ledger(run.ledger)
    point = made_runs.point(24).model_copy(update={"gpu_seconds": 40.0})
    for trial, outcome in list(history.outcomes.items()):
        stopped = point if trial == "t1" else None
        history.outcomes[trial] = outcome.model_copy(update={"gpu_seconds": 10.0, "point": stopped})
    found = costs(history)
    # Step 24 of trial t1 is epoch 2 of 8, so three times its seconds were not spent.
    assert (found.spent, found.saved, found.accepted) == (90.0, pytest.approx(120.0), 2)
    assert found.per_accepted == 45.0
    saved = "about 2 GPU minutes saved by early endings"
    assert str(found) == f"90 GPU seconds spent, {saved}; 45 GPU seconds per accepted adapter"


def test_advice_is_about_most_trials(tmp_path) -> None:
    run = made_runs.write_run(tmp_path)
    history = read_ledger(run.ledger)
    told = dict(advice(run, history))
    assert told[ADVICE[Flag.GARBLED]] == 1 and len(told) == 3
    rushed = made_runs.verdict([0.4], ("rushed: the median line takes 0.70 of the time it should",), Flag.TEMPO)
    history.outcomes.clear()
    history.outcomes["t1"] = made_runs.outcome("t1", verdict=rushed)
    assert advice(run, history) == [(ADVICE[RUSHED], 1)]


@pytest.mark.parametrize(
    ("losses", "start", "epoch", "is_the_band"),
    [
        ({"aligned": 1.2}, 6.0, 1.0, True),
        ({"aligned": 2.0}, 6.0, 1.0, False),
        # Later than at once: the middle of the band decides whether it left room for training.
        ({"aligned": 1.2}, 6.0, 3.0, False),
        ({"aligned": 1.0}, 6.0, 3.0, True),
        # An older run: the curve's first point says where the voice begins.
        (None, 1.2, 1.0, True),
        (None, 6.0, 1.0, False),
    ],
)
def test_a_trial_that_began_below_its_band_is_not_told_to_learn_more_slowly(
    tmp_path, losses, start: float, epoch: float, is_the_band: bool
) -> None:
    run = made_runs.write_run(tmp_path)
    made_runs.write_curve(run, "t1", made_runs.descent(start, 0.8, 4))
    stopped = made_runs.point(4, 0.8).model_copy(update={"clips": round(16 * epoch), "epoch": epoch})
    heard = made_runs.verdict([0.2], ("garbled",), Flag.GARBLED)
    over = made_runs.outcome("t1", Ending.OVERSHOT, heard, made_runs.draw(accumulation=4), stopped)
    base = made_runs.base([0.6], made_runs.base_losses(**losses) if losses else None)
    history = replace(read_ledger(run.ledger), base=base, outcomes={"t1": over})
    [(told, count)] = advice(run, history)
    assert count == 1
    assert ("the aligned band 0.9–1.3 lies at or above where this voice begins" in told) is is_the_band
    assert (told == ADVICE[Flag.GARBLED]) is not is_the_band


def test_every_flag_and_every_failed_ending_has_advice() -> None:
    assert set(Flag) <= ADVICE.keys()
    assert set(Ending) - {Ending.IN_BAND, Ending.COMPLETED, Ending.CANCELLED} <= ADVICE.keys()
