"""What a resumed search reads from its ledger and the trials' folders."""

from __future__ import annotations

from results.run.ledger import History
from results.run.run_folder import RunFolder
from search.tuning.resume import read_resume_state
from spaces.records.trial import Ending
from tests.support.made_runs import draw, outcome, verdict
from trainable.files.trial_folder import TrialFolder

DRAWS = {f"t00{number}": draw(rank=number + 1) for number in range(5)}


def ended(trial: str, ending: Ending = Ending.IN_BAND):
    heard = verdict([0.8]) if ending is Ending.IN_BAND else None
    return outcome(trial, ending, heard, drawn=DRAWS[trial])


def test_every_earlier_trial_is_counted_once(tmp_path):
    run = RunFolder(tmp_path)
    TrialFolder(run.trial("t001")).write_outcome(ended("t001"))
    recorded = {trial: each for trial, each in (("t000", ended("t000")), ("t003", ended("t003", Ending.CANCELLED)))}
    state = read_resume_state(run, History(drawn=DRAWS, outcomes=recorded))
    assert [each.trial for each in state.recorded] == ["t000", "t003"]
    assert [each.trial for each in state.unrecorded] == ["t001"]
    assert state.unfinished == (("t002", DRAWS["t002"]), ("t004", DRAWS["t004"]))
    assert state.cancelled == (DRAWS["t003"],)
    assert state.next_number == 5


def test_a_cancelled_draw_that_was_taken_up_is_not_drawn_again(tmp_path):
    drawn = {"t000": DRAWS["t000"], "t001": DRAWS["t000"]}
    recorded = {"t000": outcome("t000", Ending.CANCELLED, drawn=DRAWS["t000"])}
    assert read_resume_state(RunFolder(tmp_path), History(drawn=drawn, outcomes=recorded)).cancelled == ()


def test_a_new_search_has_nothing_to_resume(tmp_path):
    state = read_resume_state(RunFolder(tmp_path), History())
    assert (state.ended, state.unfinished, state.cancelled, state.next_number) == ((), (), (), 0)
