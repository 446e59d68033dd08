"""When a search starts no more trials, and what counts as spent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from results.run.ledger import BaseProbed, History, Ledger, SearchEnded, TrialDrawn, TrialEnded, read_ledger
from search.proposals.budget import BudgetTracker, has_stalled
from spaces.records.confirmation import Confirmation
from spaces.records.trial import Ending, Outcome
from spaces.space import Budget
from tests.support.made_runs import base, draw, outcome, started, verdict
from trainable.probe.criteria.criteria_table import Flag

HOUR = 3600.0
FIRST = datetime(2026, 1, 2, 3, 0, 0, tzinfo=UTC)


def accepted(score: float, gpu_seconds: float = 0.0) -> Outcome:
    return outcome("t", verdict=verdict([score])).model_copy(update={"gpu_seconds": gpu_seconds})


def rejected() -> Outcome:
    return outcome("t", verdict=verdict([0.1], ("1 of 1 lines failed",), Flag.NO_EOS))


def unprobed(ending: Ending = Ending.HOPELESS) -> Outcome:
    return outcome("t", ending)


def tracker(clock=lambda: 0.0, history: History | None = None, **budget) -> BudgetTracker:
    return BudgetTracker(Budget(trials=9, **budget), clock, history)


@pytest.mark.parametrize(
    ("outcomes", "patience", "stalled"),
    [
        ([], 1, False),
        ([accepted(0.5)], 1, False),
        ([accepted(0.5), accepted(0.505)], 1, True),
        ([accepted(0.5), accepted(0.506)], 1, False),
        ([accepted(0.5), rejected()], 1, True),
        ([accepted(0.5), rejected()], 2, False),
        ([accepted(0.5), rejected(), rejected()], 2, True),
        ([accepted(0.5), accepted(0.6), rejected()], 2, False),
        ([accepted(0.5), accepted(0.6), rejected(), accepted(0.605)], 2, True),
        ([rejected(), rejected(), rejected()], 2, False),
        ([accepted(0.5), unprobed(), unprobed()], 2, False),
        ([accepted(0.5), rejected(), unprobed(), unprobed()], 2, True),
        ([accepted(0.5), rejected(), unprobed(Ending.CANCELLED)], 2, False),
        ([accepted(-0.5), accepted(-0.496)], 1, True),
        ([accepted(-0.5), accepted(-0.4)], 1, False),
    ],
)
def test_a_search_has_stalled_when_its_best_score_does_not_rise(outcomes, patience, stalled) -> None:
    assert has_stalled(outcomes, patience) is stalled
    spent = tracker(patience=patience)
    for each in outcomes:
        spent.ended(each)
    assert spent.stop_reason() == (f"no better than 1% in the last {patience} trials" if stalled else None)


def test_gpu_hours_count_running_and_ended_trials_once_each() -> None:
    spent = tracker(gpu_hours=1)
    spent.ended(accepted(0.5, HOUR / 2))
    spent.update("running", HOUR / 4)
    spent.update("running", HOUR / 2 - 1)
    assert spent.stop_reason() is None
    spent.update("running", HOUR / 2)
    assert spent.stop_reason() == "1 GPU hours are used up"
    spent.ended(accepted(0.5, HOUR / 2).model_copy(update={"trial": "running"}))
    assert spent.gpu_seconds == HOUR


def test_hours_count_those_of_earlier_processes() -> None:
    now = [100.0]
    spent = tracker(lambda: now[0], History(seconds=1.5 * HOUR), hours=2)
    now[0] += HOUR / 2 - 1
    assert spent.stop_reason() is None
    now[0] += 1
    assert spent.stop_reason() == "2 hours are over"


def test_the_baseline_and_confirmations_take_gpu_hours_too() -> None:
    heard = base([0.5]).model_copy(update={"gpu_seconds": 60.0})
    final = Confirmation(trial="t", weaker=(), confirmed=None, unseen=0, instructed=(), seconds=30.0)
    assert tracker(history=History(base=heard, confirmations={"t": final})).gpu_seconds == 90.0


def test_a_full_disk_stops_the_search() -> None:
    full: list[str | None] = [None]
    spent = BudgetTracker(Budget(trials=9), stuck_reason=lambda: full[0])
    assert spent.stop_reason() is None
    full[0] = "the disk is full"
    assert spent.stop_reason() == "the disk is full"


def test_time_between_two_processes_does_not_count(tmp_path) -> None:
    """The ledger's times within each process count; a clock that is set back does not."""
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for minutes, entry in (
        (0, started()),
        (10, BaseProbed(outcome=base([0.5]))),
        (15, TrialDrawn(trial="t000", draw=draw())),
        (500, started()),
        (520, TrialEnded(outcome=outcome("t000"))),
        (519, TrialDrawn(trial="t001", draw=draw())),
        (524, SearchEnded(reason="interrupted")),
        (900, started()),
    ):
        ledger.append(entry.model_copy(update={"time": FIRST + timedelta(minutes=minutes)}))
    assert read_ledger(ledger.path).seconds == (15 + 20 + 5) * 60


def test_the_latest_budget_holds(tmp_path) -> None:
    ledger, first = Ledger(tmp_path / "ledger.jsonl"), started()
    ledger.append(first)
    assert read_ledger(ledger.path).budget == first.space["budget"]
    ledger.append(first.model_copy(update={"space": {**first.space, "budget": {"trials": 99}}}))
    assert read_ledger(ledger.path).budget == {"trials": 99}
