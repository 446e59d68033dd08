import math

import pytest

from results.ledger import Ledger, TrialEnded, read_ledger
from results.ranking import Judgement, beats_base, nearest, ranked
from spaces.ending import Ending
from spaces.verdict import Flag
from tests import crafted


@pytest.mark.parametrize(
    ("trial", "base", "difference", "error", "judgement"),
    [
        ([0.8, 0.7, 0.9], [0.6, 0.5, 0.7], 0.2, 0.0, Judgement.BETTER),
        ([0.6, 0.5, 0.7], [0.8, 0.7, 0.9], -0.2, 0.0, Judgement.WORSE),
        ([0.5, 0.5], [0.5, 0.5], 0.0, 0.0, Judgement.NO_DIFFERENCE),
        # Differences 0.4 and 0: mean 0.2, standard error 0.2, so two of them reach past 0.
        ([0.9, 0.5], [0.5, 0.5], 0.2, 0.2, Judgement.NO_DIFFERENCE),
        # Differences 0.1, 0.2, 0.3: mean 0.2, deviation 0.1, standard error 0.1/√3.
        ([0.6, 0.7, 0.8], [0.5, 0.5, 0.5], 0.2, 0.1 / math.sqrt(3), Judgement.BETTER),
        # One line says nothing about the spread.
        ([0.9], [0.1], 0.8, math.inf, Judgement.NO_DIFFERENCE),
        # A probe that stopped early is compared over what it spoke.
        ([0.1, 0.2], [0.6, 0.7, 0.9], -0.5, 0.0, Judgement.WORSE),
    ],
)
def test_beats_base(trial, base, difference, error, judgement):
    comparison = beats_base(crafted.verdict(trial), crafted.verdict(base))
    assert comparison.difference == pytest.approx(difference)
    assert comparison.standard_error == pytest.approx(error, abs=1e-9)
    assert comparison.judgement is judgement


def test_lines_are_paired_by_their_text_not_their_place():
    trial, base = crafted.verdict([0.9, 0.2]), crafted.verdict([0.9, 0.2])
    turned = base.model_copy(update={"lines": base.lines[::-1]})
    assert beats_base(trial, turned).difference == pytest.approx(0)


def test_a_line_spoken_twice_is_two_pairs():
    twice = crafted.verdict([0.9, 0.3])
    twice = twice.model_copy(update={"lines": tuple(line.model_copy(update={"text": "one"}) for line in twice.lines)})
    comparison = beats_base(twice, twice)
    assert (comparison.difference, comparison.standard_error) == (0, 0)


def test_no_common_line_is_no_comparison():
    other = crafted.verdict([0.5])
    other = other.model_copy(update={"lines": (crafted.line("something else", 0.5),)})
    assert beats_base(other, crafted.verdict([0.5])) is None


def test_accepted_trials_are_ranked_by_score_whatever_their_ending(tmp_path):
    history = read_ledger(crafted.write_run(tmp_path).ledger)
    assert [outcome.trial for outcome in ranked(history.outcomes.values())] == ["t3", "t1"]
    assert history.outcomes["t3"].ending is Ending.OVERSHOT


REJECTED = crafted.verdict([0.2, 0.3], ("garbled",), Flag.GARBLED)
HALF = crafted.verdict([0.2, 0.3], ("garbled",), Flag.GARBLED).model_copy(update={"failed_lines": 1})


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], None),
        ([crafted.outcome("accepted", heard=crafted.verdict([0.9]))], None),
        ([crafted.outcome("all", heard=REJECTED), crafted.outcome("half", heard=HALF)], "half"),
        (
            [
                crafted.outcome("close", Ending.HOPELESS, stopped=crafted.point(9, 3.1)),
                crafted.outcome("heard", heard=HALF),
            ],
            "heard",
        ),
        (
            [
                crafted.outcome("nan", Ending.DIVERGED, stopped=crafted.point(9, math.nan)),
                crafted.outcome("far", Ending.HOPELESS, stopped=crafted.point(9, 5.0)),
                crafted.outcome("close", Ending.HOPELESS, stopped=crafted.point(9, 3.1)),
            ],
            "close",
        ),
    ],
)
def test_nearest(tmp_path, outcomes, expected):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(crafted.started())
    for outcome in outcomes:
        ledger.append(TrialEnded(outcome=outcome))
    found = nearest(read_ledger(ledger.path))
    assert (found and found.trial) == expected
