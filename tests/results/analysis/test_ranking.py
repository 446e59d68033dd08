import math

import pytest

from results.analysis.ranking import (
    ComparisonResult,
    compare_verdicts,
    compare_with_base,
    last_verdict,
    nearest,
    ranked,
)
from results.run.ledger import FinalistHeard, Ledger, TrialEnded, read_ledger
from spaces.records.confirmation import Confirmation
from spaces.records.trial import Ending
from spaces.records.verdict import Verdict
from tests.support import made_runs
from trainable.probe.criteria.criteria_table import Flag


@pytest.mark.parametrize(
    ("trial", "base", "difference", "judgement"),
    [
        ([0.8, 0.7, 0.9], [0.6, 0.5, 0.7], 0.2, ComparisonResult.BETTER),
        ([0.6, 0.5, 0.7], [0.8, 0.7, 0.9], -0.2, ComparisonResult.WORSE),
        ([0.5, 0.5], [0.5, 0.5], 0.0, ComparisonResult.NO_DIFFERENCE),
        ([0.9, 0.5], [0.5, 0.5], 0.2, ComparisonResult.NO_DIFFERENCE),
        # Differences 0.1, 0.2, 0.3: three lines with a standard error of 0.058 are too few, six are enough.
        ([0.6, 0.7, 0.8], [0.5, 0.5, 0.5], 0.2, ComparisonResult.NO_DIFFERENCE),
        ([0.6, 0.7, 0.8] * 2, [0.5, 0.5, 0.5] * 2, 0.2, ComparisonResult.BETTER),
        # One line says nothing about the spread.
        ([0.9], [0.1], 0.8, ComparisonResult.NO_DIFFERENCE),
        # A probe that stopped early is compared over what it spoke.
        ([0.1, 0.2], [0.6, 0.7, 0.9], -0.5, ComparisonResult.WORSE),
    ],
)
def test_compare_verdicts(trial, base, difference, judgement):
    comparison = compare_verdicts(made_runs.verdict(trial), made_runs.verdict(base))
    assert comparison.difference == pytest.approx(difference)
    assert comparison.judgement is judgement


def test_verdicts_by_different_criteria_are_not_compared():
    other = made_runs.verdict([0.5, 0.5]).model_copy(update={"judge": "another"})
    assert compare_verdicts(other, made_runs.verdict([0.5, 0.5])) is None


def test_lines_are_paired_by_text_not_by_position():
    trial, base = made_runs.verdict([0.9, 0.2]), made_runs.verdict([0.9, 0.2])
    turned = base.model_copy(update={"lines": base.lines[::-1]})
    assert compare_verdicts(trial, turned).difference == pytest.approx(0)


def test_a_line_spoken_twice_is_two_pairs():
    twice = made_runs.verdict([0.9, 0.3])
    twice = twice.model_copy(update={"lines": tuple(line.model_copy(update={"text": "one"}) for line in twice.lines)})
    comparison = compare_verdicts(twice, twice)
    assert (comparison.difference, comparison.interval) == (0, (0, 0))


def test_without_a_common_line_there_is_no_comparison():
    other = made_runs.verdict([0.5])
    other = other.model_copy(update={"lines": (made_runs.line("something else", 0.5),)})
    assert compare_verdicts(other, made_runs.verdict([0.5])) is None


def test_accepted_trials_are_ranked_by_score_whatever_their_ending(tmp_path):
    history = read_ledger(made_runs.write_run(tmp_path).ledger)
    assert [outcome.trial for outcome in ranked(history)] == ["t3", "t1"]
    assert history.outcomes["t3"].ending is Ending.OVERSHOT


def final(trial: str, confirmed: Verdict | None, weaker: tuple[Verdict, ...] = ()) -> FinalistHeard:
    return FinalistHeard(
        final=Confirmation(trial=trial, weaker=weaker, confirmed=confirmed, unseen=60, instructed=(), seconds=1.0)
    )


def test_finalists_come_first_also_at_a_lower_strength(tmp_path):
    run = made_runs.write_run(tmp_path)
    ledger = Ledger(run.ledger)
    ledger.append(final("base", made_runs.verdict([0.6, 0.6, 0.6])))
    ledger.append(final("t3", made_runs.verdict([0.3], ("garbled",), Flag.GARBLED)))
    ledger.append(final("t4", made_runs.verdict([0.65, 0.66, 0.67]).model_copy(update={"strength": 0.5})))
    history = read_ledger(run.ledger)
    assert [outcome.trial for outcome in ranked(history)] == ["t4", "t1"]
    assert last_verdict(history.outcomes["t4"], history).strength == 0.5
    assert compare_with_base(history.outcomes["t4"], history).difference == pytest.approx(0.06)
    assert compare_with_base(history.outcomes["t1"], history).difference == pytest.approx(0.1)
    assert nearest(history).trial in ("t3", "t2")


def test_a_finalist_is_confirmed_once(tmp_path):
    run = made_runs.write_run(tmp_path)
    for score in (0.7, 0.2):
        Ledger(run.ledger).append(final("t1", made_runs.verdict([score])))
    history = read_ledger(run.ledger)
    assert history.confirmations["t1"].confirmed.score == 0.7
    assert "confirmed twice" in history.problems[0]


REJECTED = made_runs.verdict([0.2, 0.3], ("garbled",), Flag.GARBLED)
HALF = made_runs.verdict([0.2, 0.3], ("garbled",), Flag.GARBLED).model_copy(update={"failed_lines": 1})


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], None),
        ([made_runs.outcome("accepted", verdict=made_runs.verdict([0.9]))], None),
        ([made_runs.outcome("all", verdict=REJECTED), made_runs.outcome("half", verdict=HALF)], "half"),
        (
            [
                made_runs.outcome("close", Ending.HOPELESS, stopped=made_runs.point(9, 3.1)),
                made_runs.outcome("heard", verdict=HALF),
            ],
            "heard",
        ),
        (
            [
                made_runs.outcome("nan", Ending.DIVERGED, stopped=made_runs.point(9, math.nan)),
                made_runs.outcome("far", Ending.HOPELESS, stopped=made_runs.point(9, 5.0)),
                made_runs.outcome("close", Ending.HOPELESS, stopped=made_runs.point(9, 3.1)),
            ],
            "close",
        ),
    ],
)
def test_nearest(tmp_path, outcomes, expected):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(made_runs.started())
    for outcome in outcomes:
        ledger.append(TrialEnded(outcome=outcome))
    found = nearest(read_ledger(ledger.path))
    assert (found and found.trial) == expected
