"""What a resumed search makes of a ledger and the trials' folders."""

from __future__ import annotations

from results.run.ledger import History
from results.run.run_folder import RunFolder
from search.tuning.resume import read_past
from spaces.records.trial import Ending
from tests.support.made_runs import draw, outcome, verdict
from trainable.files.trial_folder import TrialFolder

DRAWS = {f"t00{number}": draw(rank=number + 1) for number in range(5)}


def ended(trial: str, ending: Ending = Ending.IN_BAND):
    heard = verdict([0.8]) if ending is Ending.IN_BAND else None
    return outcome(trial, ending, heard, drawn=DRAWS[trial])


def test_nothing_is_done_twice_and_nothing_is_left_out(tmp_path):
    run = RunFolder(tmp_path)
    TrialFolder(run.trial("t001")).write_outcome(ended("t001"))
    recorded = {trial: each for trial, each in (("t000", ended("t000")), ("t003", ended("t003", Ending.CANCELLED)))}
    past = read_past(run, History(drawn=DRAWS, outcomes=recorded))
    assert [each.trial for each in past.recorded] == ["t000", "t003"]
    assert [each.trial for each in past.unrecorded] == ["t001"]
    assert past.unfinished == (("t002", DRAWS["t002"]), ("t004", DRAWS["t004"]))
    assert past.cancelled == (DRAWS["t003"],)
    assert past.next_number == 5


def test_a_cancelled_draw_that_was_taken_up_is_not_drawn_again(tmp_path):
    drawn = {"t000": DRAWS["t000"], "t001": DRAWS["t000"]}
    recorded = {"t000": outcome("t000", Ending.CANCELLED, drawn=DRAWS["t000"])}
    assert read_past(RunFolder(tmp_path), History(drawn=drawn, outcomes=recorded)).cancelled == ()


def test_a_new_search_has_no_past(tmp_path):
    past = read_past(RunFolder(tmp_path), History())
    assert (past.ended, past.unfinished, past.cancelled, past.next_number) == ((), (), (), 0)
