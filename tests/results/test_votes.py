import json
import os

import pytest
import typer
from typer.testing import CliRunner

from results.run.ledger import Ledger, SearchEnded, SearchStarted, VotesGiven, read_ledger
from results.run.vote import Vote, VoteTally, search_id, tally_votes
from results.votes import add_votes, votes
from spaces.errors import InputError
from tests.support import heard_run, made_runs


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("SWEETSPOT_CACHE", str(tmp_path / "cache"))
    return heard_run.write_heard_run(tmp_path)


def a_vote(trial="t2", confirmation=True, text=heard_run.OTHERS[0], occurrence=0, choice="trial") -> dict:
    return {
        "trial": trial,
        "confirmation": confirmation,
        "text": text,
        "occurrence": occurrence,
        "first": "base",
        "choice": choice,
    }


def file_of(run, given, **changes):
    mark = search_id(read_ledger(run.ledger).search)
    content = {"format": 1, "search": mark, "round": "abc", "votes": given, **changes}
    path = run.path / "votes.json"
    path.write_text(json.dumps(content))
    return path


def tally(run) -> dict[str, VoteTally]:
    return tally_votes(read_ledger(run.ledger).votes.values())


GIVEN = [
    a_vote(),
    a_vote(text=heard_run.OTHERS[1], choice="neither"),
    a_vote("t1", False, heard_run.LINES[0], 1, "base"),
]


def test_votes_are_added_and_the_same_file_twice_counts_once(run):
    file = file_of(run, GIVEN)
    assert len(add_votes(run, file)) == 3
    expected = {"t2": VoteTally(1, 0, 1), "t1": VoteTally(0, 1, 0)}
    assert tally(run) == expected
    before = run.ledger.read_bytes()
    assert add_votes(run, file) == ()
    assert run.ledger.read_bytes() == before
    assert tally(run) == expected


def test_a_continued_round_adds_new_votes_and_another_round_counts_again(run):
    add_votes(run, file_of(run, GIVEN[:1]))
    assert [vote.text for vote in add_votes(run, file_of(run, GIVEN))] == [heard_run.OTHERS[1], heard_run.LINES[0]]
    assert len(add_votes(run, file_of(run, GIVEN, round="def"))) == 3
    assert tally(run) == {"t2": VoteTally(2, 0, 2), "t1": VoteTally(0, 2, 0)}


def test_the_first_of_two_votes_on_one_pair_counts(run):
    add_votes(run, file_of(run, [a_vote(), a_vote(choice="base")]))
    assert tally(run) == {"t2": VoteTally(1, 0, 0)}


@pytest.mark.parametrize(
    ("given", "changes", "said"),
    [
        ([a_vote("t9")], {}, "trial 't9' is unknown; trials with lines of the base model: t1, t2, t3"),
        ([a_vote("base")], {}, "trial 'base' is unknown"),
        ([a_vote("t4", False, heard_run.LINES[0])], {}, "trial 't4' is unknown"),
        ([a_vote("t3")], {}, "trial t3 and the base model have not both spoken the lines of finalists"),
        ([a_vote(text="never said")], {}, "have not both spoken 'never said'"),
        ([a_vote(occurrence=1)], {}, "have not both spoken"),
        ([GIVEN[0], a_vote("<b>")], {}, "'<b>' is unknown"),
        ([a_vote()], {"search": "0" * 16}, "of another search"),
        ([a_vote()], {"format": 2}, "format 2"),
        ([a_vote(choice="both")], {}, "votes.0.choice"),
        ([{**a_vote(), "more": 1}], {}, "votes.0.more"),
        ("none", {}, "votes"),
    ],
)
def test_a_file_with_an_invalid_vote_is_refused_whole(run, given, changes, said):
    before = run.ledger.read_bytes()
    with pytest.raises(InputError) as refused:
        add_votes(run, file_of(run, given, **changes))
    assert said in str(refused.value)
    assert run.ledger.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not json", b"[1]", b"\xff\xfe", b"{" * 100_000, b" " * 5_000_000])
def test_a_file_that_holds_no_votes_is_refused(run, content):
    file = run.path / "votes.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match="expected the file that the listening page downloads"):
        add_votes(run, file)


def test_a_missing_file_is_refused(run):
    with pytest.raises(InputError, match="cannot be read"):
        add_votes(run, run.path / "nowhere.json")


def test_votes_neither_reopen_a_search_nor_lengthen_it(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    start = SearchStarted(**made_runs.started().model_dump())
    ledger.append(start)
    ledger.append(SearchEnded(reason="done", time=start.time.replace(microsecond=0)))
    before = read_ledger(path)
    vote = Vote(**a_vote())
    later = start.time.replace(year=start.time.year + 1)
    ledger.append(VotesGiven(round="r", votes=(vote,), time=later))
    after = read_ledger(path)
    assert (after.ended, after.seconds) == ("done", before.seconds)
    assert list(after.votes.values()) == [vote]


def test_two_writers_never_mix_their_lines(tmp_path):
    path = tmp_path / "ledger.jsonl"
    child = os.fork()
    long = "x" * 100_000
    for _ in range(40):
        Ledger(path).append(SearchEnded(reason=("a" if child else "b") + long))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    lines = path.read_bytes().splitlines()
    assert len(lines) == 80
    assert read_ledger(path).problems == ()


def test_the_command_reports_the_added_votes_and_updates_the_page(run):
    app = typer.Typer()
    app.command()(votes)
    file = str(file_of(run, GIVEN))
    first = CliRunner().invoke(app, [str(run.path), file])
    assert first.exit_code == 0
    assert first.stdout.startswith("3 votes added; t2: 1 for it, 0 for the base, 1 for neither; t1: 0 for it")
    again = CliRunner().invoke(app, [str(run.path), file])
    assert again.stdout.strip() == "0 votes added, 3 counted before"
    assert CliRunner().invoke(app, [str(run.path), str(run.path / "nowhere")]).exit_code == 2
