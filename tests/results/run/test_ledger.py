import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.run.ledger import FORMAT, BaseProbed, Entry, Ledger, SearchEnded, TrialDrawn, TrialEnded, read_ledger
from spaces.band import Band
from spaces.errors import InputError
from spaces.qwen3_tts import Objective
from spaces.records.trial import Ending
from tests.support import made_runs


def write(path, *entries: Entry):
    for entry in entries:
        Ledger(path).append(entry)
    return path


def a_search() -> list[Entry]:
    return [
        made_runs.started(),
        BaseProbed(outcome=made_runs.base([0.5, 0.6])),
        TrialDrawn(trial="t1", draw=made_runs.draw()),
        TrialDrawn(trial="t2", draw=made_runs.draw(rank=32)),
        TrialEnded(outcome=made_runs.outcome("t2", verdict=made_runs.verdict([0.7, 0.8]), reason="„Größe“ – 声音")),
    ]


def test_everything_written_is_read_back(tmp_path):
    entries = a_search()
    history = read_ledger(write(tmp_path / "ledger.jsonl", *entries))
    assert history.search == entries[0]
    assert history.base == entries[1].outcome
    assert list(history.drawn) == ["t1", "t2"]
    assert history.outcomes == {"t2": entries[4].outcome}
    assert history.running == ("t1",)
    assert history.ended is None
    assert history.problems == ()
    assert history.band(Objective.ALIGNED) == Band.model_validate(entries[0].space["objective"]["aligned"]["band"])
    assert history.band(Objective.GUIDE) is None


def test_losses_that_are_not_finite_are_valid_json_and_read_back(tmp_path):
    stopped = made_runs.point(3, float("nan"), float("inf"))
    path = write(
        tmp_path / "ledger.jsonl", TrialEnded(outcome=made_runs.outcome("t1", Ending.DIVERGED, stopped=stopped))
    )
    json.loads(path.read_text(), parse_constant=pytest.fail)
    read = read_ledger(path).outcomes["t1"].point
    assert read.loss != read.loss
    assert read.losses["guide"] == float("inf")


@pytest.mark.parametrize(
    ("entries", "ended"),
    [
        ([SearchEnded(reason="6 trials")], "6 trials"),
        ([SearchEnded(reason="6 trials"), made_runs.started()], None),
        ([SearchEnded(reason="6 trials"), made_runs.started(), SearchEnded(reason="8 trials")], "8 trials"),
    ],
)
def test_a_resumed_search_has_not_ended(tmp_path, entries, ended):
    history = read_ledger(write(tmp_path / "ledger.jsonl", *a_search(), *entries))
    assert (history.ended, history.problems) == (ended, ())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"entry": "trial_dra', "cut off or not JSON"),
        ("[]", "not an entry"),
        ('{"entry": "vote", "line": 1}', "unknown entry 'vote'"),
        ('{"entry": "search_ended", "reason": "x", "mood": 1}', "unknown field 'mood'"),
        ('{"entry": "search_ended"}', "reason"),
        (b"\xff\xfe", "cut off or not JSON"),
    ],
)
def test_a_line_that_cannot_be_used_is_left_out(tmp_path, line, said):
    path = write(tmp_path / "ledger.jsonl", *a_search()[:2])
    with path.open("ab") as file:
        file.write((line if isinstance(line, bytes) else line.encode()) + b"\n")
    history = read_ledger(write(path, *a_search()[2:]))
    assert list(history.drawn) == ["t1", "t2"]
    assert len(history.problems) == 1
    assert "line 3" in history.problems[0]
    assert said in history.problems[0]


def test_a_search_of_a_newer_format_is_reported(tmp_path):
    newer = made_runs.started().model_copy(update={"format": FORMAT + 1})
    history = read_ledger(write(tmp_path / "ledger.jsonl", newer, *a_search()[1:]))
    assert history.search is None
    assert "line 1: format 2" in history.problems[0]
    assert list(history.outcomes) == ["t2"]


@pytest.mark.parametrize(
    ("again", "said"),
    [
        (TrialEnded(outcome=made_runs.outcome("t2", Ending.FAILED)), "trial t2 ended twice"),
        (BaseProbed(outcome=made_runs.base([0.1])), "base was probed twice"),
        (TrialDrawn(trial="t1", draw=made_runs.draw(rank=64)), "trial t1 was drawn twice"),
        (made_runs.started(model="another"), "another search"),
    ],
)
def test_the_first_of_contradicting_entries_stands(tmp_path, again, said):
    path = tmp_path / "ledger.jsonl"
    before = read_ledger(write(path, *a_search()))
    history = read_ledger(write(path, again))
    assert said in history.problems[0]
    assert (history.search, history.base, history.drawn, history.outcomes) == (
        before.search,
        before.base,
        before.drawn,
        before.outcomes,
    )


def test_a_retried_trial_may_be_drawn_again_with_the_same_draw(tmp_path):
    history = read_ledger(write(tmp_path / "ledger.jsonl", *a_search(), a_search()[2]))
    assert history.problems == ()


def test_a_resumed_search_may_have_another_budget(tmp_path):
    first = made_runs.started()
    again = first.model_copy(update={"space": {**first.space, "budget": {"trials": 99}}, "versions": {"torch": "3"}})
    assert read_ledger(write(tmp_path / "ledger.jsonl", first, again)).problems == ()


def test_a_missing_ledger_is_reported_with_a_remedy(tmp_path):
    with pytest.raises(InputError, match="search/run.py --out"):
        read_ledger(tmp_path / "ledger.jsonl")


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1), data=st.data())
def test_entries_before_any_cut_are_read_and_writing_continues(tmp_path_factory, share, data):
    folder = tmp_path_factory.mktemp("cut")
    entries = data.draw(st.lists(st.sampled_from(a_search()), min_size=1, max_size=5, unique_by=id))
    whole = write(folder / "whole.jsonl", *entries).read_bytes()
    cut = whole[: round(share * len(whole))]
    path = folder / "cut.jsonl"
    path.write_bytes(cut)
    lines = whole.split(b"\n")[:-1]
    complete = sum(len(b"\n".join(lines[:number])) <= len(cut) for number in range(1, len(lines) + 1))
    expected = write(folder / "expected.jsonl", *entries[:complete]) if complete else None

    history = read_ledger(path)
    if expected:
        known = read_ledger(expected)
        assert (history.search, history.base, history.drawn, history.outcomes) == (
            known.search,
            known.base,
            known.drawn,
            known.outcomes,
        )
    else:
        assert history.search is None and history.base is None and not history.drawn and not history.outcomes
    assert len(history.problems) <= 1

    after = read_ledger(write(path, SearchEnded(reason="after the crash")))
    assert after.ended == "after the crash"
    assert after.problems == history.problems


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ([], (1.0, 3.0)),
        ([(1.0, 3.0)], (1.0, 3.0)),
        ([(1.0, 3.0), (1.5, 2.5)], (1.5, 2.5)),
        ([(1.5, 2.5), None], (1.0, 3.0)),
    ],
)
def test_the_latest_band_of_an_objective_is_that_of_its_latest_trial(tmp_path, drawn, expected):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    space = made_runs.started().space
    space["objective"] = {"aligned": {"band": {"auto_within": [1.0, 3.0]}}}
    ledger.append(made_runs.started().model_copy(update={"space": space}))
    for number, band in enumerate(drawn):
        given = Band.model_validate(band) if band else None
        ledger.append(TrialDrawn(trial=f"t{number:03d}", draw=made_runs.draw(objective="aligned"), band=given))
    latest = read_ledger(ledger.path).latest_band(Objective.ALIGNED)
    assert (latest.low, latest.high) == expected
