"""The record of the demo voice, and searches that replay it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.contest import NEVER, OURS, TUNERS, Limits, Unit, measure
from benchmarks.demo_live import spent_on, spent_to_first
from benchmarks.demo_record import (
    FILE,
    PROBED_EPOCHS,
    ProbedCheckpoint,
    Record,
    RecordedDraw,
    RecordSettings,
    design,
    in_units,
    pack,
    read_record,
    searched_names,
    steps_to_probe,
    whole,
)
from benchmarks.demo_replay import search_with_all
from benchmarks.demo_world import RecordedVoice, best_of
from benchmarks.one_trial import run_trial
from benchmarks.search_cost import SearchCost
from benchmarks.tuners import ProbeEvent
from benchmarks.worlds import NoRunsLeft
from results.run.ledger import History
from spaces.errors import InputError
from spaces.space import load_space
from tests.support.made_runs import outcome, verdict
from trainable.training.outcome import TrainingAdvice

SPACE = load_space("demo")
BAND = SPACE.band(SPACE.objectives[0])
PER_EPOCH, EPOCHS = 4, 10
MADE = RecordSettings(space="demo", seed=1, clips=16, epochs=EPOCHS, steps_per_epoch=PER_EPOCH)
POINT = {"rank": 8, "alpha_ratio": 2, "lora_lr": 5e-3, "text_projection_lr": 1e-4}
LOSSES = tuple(2.0 - 0.025 * step for step in range(PER_EPOCH * EPOCHS + 1))
"""In the demo's band of 0.9 to 1.3 from step 28 on, after seven epochs."""
SECONDS = tuple(0.5 * step for step in range(PER_EPOCH * EPOCHS + 1))
NO_END = Limits(math.inf, (10.0, 1000.0), Unit.SECONDS)


def heard(step: int, accepted: bool = True, score: float = 0.8, seconds: float = 3.0) -> ProbedCheckpoint:
    mended_by = None if accepted else TrainingAdvice.MORE
    return ProbedCheckpoint(step=step, accepted=accepted, score=score, mended_by=mended_by, lines=20, seconds=seconds)


def recorded(
    number: int = 0, at: tuple[ProbedCheckpoint, ...] = (heard(20),), losses=LOSSES, **point: float
) -> RecordedDraw:
    return RecordedDraw(number=number, point={**POINT, **point}, losses=losses, seconds=SECONDS, heard=at)


def record(*draws: RecordedDraw) -> Record:
    return Record(made=MADE, draws=draws)


def test_the_nearest_recorded_draw_answers_once() -> None:
    rates = (1e-3, 5e-3, 2e-2)
    curves = [tuple(place + 0.1 for _ in LOSSES) for place in range(3)]
    voice = RecordedVoice(
        SPACE, record(*(recorded(losses=curve, lora_lr=rate) for rate, curve in zip(rates, curves, strict=True)))
    )
    asked = whole(SPACE, {**POINT, "lora_lr": 6e-3}, EPOCHS)
    assert [float(voice.run(asked, number).losses[0]) for number in range(3)] == [1.1, 2.1, 0.1]
    with pytest.raises(NoRunsLeft):
        voice.run(asked, 3)


@pytest.mark.parametrize("epochs", [4, 7, 10])
def test_a_draw_of_fewer_epochs_is_the_beginning_of_the_recorded_one(epochs) -> None:
    run = RecordedVoice(SPACE, record(recorded())).run(whole(SPACE, POINT, epochs), 0)
    assert run.losses.tolist() == list(LOSSES[: epochs * PER_EPOCH + 1])
    assert run.seconds[-1] == SECONDS[epochs * PER_EPOCH]
    assert run.steps_per_epoch == PER_EPOCH


@pytest.mark.parametrize(("step", "score"), [(1, 0.1), (4, 0.1), (5, 0.1), (6, 0.2), (8, 0.2), (40, 0.2)])
def test_the_nearest_probed_checkpoint_answers_for_others(step, score) -> None:
    voice = RecordedVoice(SPACE, record(recorded(at=(heard(4, score=0.1), heard(8, score=0.2)))))
    draw = whole(SPACE, POINT, EPOCHS)
    voice.run(draw, 7)
    assert voice.probe(draw, 1.0, 7, step).score == score


def test_a_trial_of_random_search_costs_its_epochs_and_a_probe() -> None:
    voice = RecordedVoice(SPACE, record(recorded()))
    probe = next(TUNERS["random"](voice, 1))
    epochs = probe.spent.epochs - 1
    assert epochs in range(4, 11)
    assert probe == ProbeEvent(SearchCost(epochs + 1, 0.5 * PER_EPOCH * epochs + 3.0), True, 0.8)


@pytest.mark.parametrize(
    ("at", "probed"),
    [
        ((heard(28),), (28,)),
        ((heard(28, accepted=False), heard(37)), (28, 37)),
    ],
)
def test_ours_probes_at_the_bands_upper_end_and_again_below(at, probed) -> None:
    trial = run_trial(RecordedVoice(SPACE, record(recorded(at=at))), whole(SPACE, POINT, EPOCHS), BAND, 0)
    assert [each.point.step for each in trial.heard] == list(probed)
    assert trial.outcome.accepted
    assert trial.spent == SearchCost(probed[-1] / PER_EPOCH + len(probed), SECONDS[probed[-1]] + 3.0 * len(probed))


def test_a_tuner_that_never_gets_there_has_spent_the_whole_record() -> None:
    rejected = recorded(at=(heard(0, accepted=False, seconds=1.0),))
    result = measure(RecordedVoice(SPACE, record(*[rejected] * 3)), "random", 1, NO_END, 0.8)
    assert result.first == result.nearly_best == NEVER
    assert result.best_at == (0.0, 0.0)
    assert 3 * 5 <= result.whole.epochs <= 3 * 11
    assert result.whole.seconds == 0.5 * PER_EPOCH * (result.whole.epochs - 3) + 3 * 1.0


def test_best_at_equal_cost_counts_earlier_probes_only() -> None:
    voice = RecordedVoice(SPACE, record(*[recorded(at=(heard(40, score=0.4),))] * 3))
    result = measure(voice, "random", 1, Limits(math.inf, (5.0, 23.0), Unit.SECONDS), 0.8)
    assert result.best_at == (0.0, 0.5)


@pytest.mark.parametrize("name", TUNERS)
def test_every_tuner_searches_a_record_to_its_end(name) -> None:
    draws = [recorded(at=(heard(28, accepted=False),), **point) for point in design(SPACE, 6)]
    assert search_with_all(SPACE, record(*draws, recorded(at=(heard(3),))), 1, (name,))[name].whole.epochs > 0


def test_a_record_without_an_accepted_checkpoint_is_refused() -> None:
    with pytest.raises(InputError, match="nothing in this record was accepted"):
        search_with_all(SPACE, record(recorded(at=(heard(4, accepted=False),))), 1)


def test_a_record_is_read_as_written_without_an_incomplete_line(tmp_path) -> None:
    written = record(recorded(), recorded(1, losses=(*LOSSES[:-1], None)))
    packed, plain = tmp_path / "record.jsonl.gz", tmp_path / "record.jsonl"
    pack(written, packed)
    assert read_record(packed) == written
    assert math.isnan(read_record(packed).draws[1].curve[-1])
    lines = [each.model_dump_json() for each in (MADE, *written.draws)]
    plain.write_text("\n".join(lines), encoding="utf-8")
    assert read_record(plain) == record(recorded())


@pytest.mark.parametrize("content", [None, b"", b"{}\n", b"\xff\xfe\n"])
def test_an_invalid_record_is_refused_with_a_remedy(tmp_path, content) -> None:
    file = tmp_path / "record.jsonl"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"record\.jsonl: (no|not a) record of the demo voice"):
        read_record(file)


def test_a_longer_design_begins_with_the_shorter_one_and_stays_within_the_domains() -> None:
    points = design(SPACE, 50)
    assert points[:7] == design(SPACE, 7)
    assert all(value in SPACE.draw[name] for point in points for name, value in point.items())
    units = in_units(SPACE, points)
    assert units.shape == (50, len(searched_names(SPACE)))
    assert 0 <= units.min() < 0.05 < 0.95 < units.max() <= 1


def test_draws_are_probed_after_epochs_and_where_a_search_would_probe() -> None:
    after = {epoch * PER_EPOCH for epoch in PROBED_EPOCHS}
    assert steps_to_probe(np.full(len(LOSSES), 2.0), SPACE, POINT, MADE) == sorted(after)
    losses = np.interp(np.arange(len(LOSSES)), [0, 18, 22, 40], [2.0, 1.29, 1.0, 0.95])
    assert set(steps_to_probe(losses, SPACE, POINT, MADE)) - after == {18, 21}


def test_steps_with_a_nan_loss_are_not_probed() -> None:
    losses = np.where(np.arange(len(LOSSES)) < 10, 2.0, np.nan)
    assert steps_to_probe(losses, SPACE, POINT, MADE) == [4, 8]


def test_cost_to_first_counts_all_trials_up_to_the_first_accepted() -> None:
    rejected = outcome("a", verdict=verdict([0.1], ("1 of 1 lines failed",))).model_copy(update={"gpu_seconds": 4.0})
    accepted = outcome("b", verdict=verdict([0.9])).model_copy(update={"gpu_seconds": 2.0})
    both = rejected.model_copy(update={"other_verdict": verdict([0.1])})
    history = History(outcomes={"a": both, "b": accepted, "c": accepted})
    assert spent_on(both).epochs == rejected.point.epoch + 2
    assert spent_to_first(history) == SearchCost(rejected.point.epoch + 2 + accepted.point.epoch + 1, 6.0)
    assert spent_to_first(History(outcomes={"a": rejected})) == NEVER


def test_ours_finds_an_adapter_in_the_shipped_record() -> None:
    shipped = read_record(FILE)
    assert shipped.made.space == SPACE.name
    assert [each.point for each in shipped.draws] == design(SPACE, len(shipped.draws))
    result = measure(RecordedVoice(SPACE, shipped), OURS, 1, NO_END, best_of(shipped))
    assert result.first != NEVER
