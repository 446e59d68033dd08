import json
import subprocess
import sys

import pytest

from results.analysis.table import trial_rows
from results.run.ledger import Ledger, TrialDrawn, TrialEnded, read_ledger
from results.run.run_folder import RunFolder
from tests.support import made_runs


def compare(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "results.compare", *arguments], capture_output=True, text=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return made_runs.write_run(tmp_path_factory.mktemp("run") / "run")


def test_the_base_comes_first_then_the_accepted_by_rank_then_the_rest(run):
    table = trial_rows(run, read_ledger(run.ledger))
    assert [(row.trial, row.place, row.state) for row in table] == [
        ("base", 0, "base"),
        ("t3", 1, "overshot"),
        ("t1", 2, "in_band"),
        ("t2", None, "hopeless"),
        ("t4", None, "in_band"),
        ("t5", None, "diverged"),
        ("t6", None, "exhausted"),
        ("t7", None, "running"),
    ]
    best, rejected, running = table[1], table[4], table[7]
    assert (best.accepted, best.objective, best.loss, best.vs_base.judgement) == (True, "aligned", 2.0, "better")
    assert (best.epochs, best.seconds) == (2.0, 60.0)
    assert (rejected.accepted, rejected.flags) == (False, {"garbled": 2})
    # Two lines are too few to tell.
    assert rejected.vs_base.judgement == "no different"
    assert (running.accepted, running.epochs) == (None, 1.0)
    assert "step 12, epoch 1.0 of 8, aligned loss 4.0" in running.reason
    assert "from the band" in running.reason


def test_the_held_out_loss_is_that_of_what_was_probed_and_of_a_running_trial_the_latest(tmp_path):
    run = RunFolder(tmp_path)
    kept = made_runs.point(6, validation=1.75)
    ledger = Ledger(run.ledger)
    ledger.append(made_runs.started())
    ledger.append(TrialEnded(outcome=made_runs.outcome("t1", verdict=made_runs.verdict([0.9]), stopped=kept)))
    ledger.append(TrialDrawn(trial="t2", draw=made_runs.draw()))
    made_runs.write_curve(run, "t2", [made_runs.point(0, validation=2.5), made_runs.point(1)])
    assert [row.validation_loss for row in trial_rows(run, read_ledger(run.ledger))] == [1.75, 2.5]
    assert "1.750" in compare(str(run.path)).stdout


def test_the_table_and_its_sentences(run):
    done = compare(str(run.path))
    assert done.returncode == 0
    for words in (
        "demo space",
        "rejected: garbled ×2",
        "+0.200 better",
        "2.000 aligned",
        "4.200 aligned",
        "base losses on 12 clips before training: guide 6.100 (held out 6.300), aligned 4.200 (4.400)",
        "t4 rejected: 2 of 2 lines are garbled",
        "t2 not probed: would need 40 epochs",
        "t7 running: step 12",
    ):
        assert words in done.stdout


def test_json_holds_every_run_and_only_finite_numbers(run, tmp_path):
    other = made_runs.write_run(tmp_path / "other")
    made_runs.finish(other)
    done = compare("--json", str(run.path), str(other.path))
    first, second = json.loads(done.stdout, parse_constant=pytest.fail)
    assert (first["ended"], second["ended"]) == (None, "6 trials")
    assert [row["trial"] for row in first["rows"]][:3] == ["base", "t3", "t1"]
    assert first["rows"][1]["vs_base"]["difference"] == pytest.approx(0.2)
    assert first["rows"][5]["loss"] is None
    assert [row["state"] for row in second["rows"]][-1] == "cancelled"


def test_a_trial_without_an_ending_is_unfinished_once_the_search_has_ended(tmp_path):
    run = made_runs.write_run(tmp_path)
    made_runs.finish(run)
    ended = run.ledger.read_bytes()
    run.ledger.write_bytes(b"\n".join(line for line in ended.split(b"\n") if b"the search ended" not in line))
    assert trial_rows(run, read_ledger(run.ledger))[-1].state == "unfinished"


def test_a_trial_without_a_training_step(tmp_path):
    run = RunFolder(tmp_path)
    Ledger(run.ledger).append(TrialDrawn(trial="t1", draw=made_runs.draw()))
    (row,) = trial_rows(run, read_ledger(run.ledger))
    assert (row.state, row.reason, row.loss) == ("running", "started, no training step yet", None)
    assert "no adapter accepted so far" in compare(str(tmp_path)).stdout


def test_a_cut_line_is_reported_and_the_rest_shown(tmp_path):
    run = made_runs.write_run(tmp_path)
    run.ledger.write_bytes(run.ledger.read_bytes()[:-20])
    done = compare(str(tmp_path))
    assert done.returncode == 0
    assert "cut off or not JSON" in done.stdout
    assert "+0.200 better" in done.stdout


@pytest.mark.parametrize("missing", ["nowhere", "."])
def test_a_folder_without_a_ledger_is_refused_in_one_line(run, tmp_path, missing):
    done = compare(str(run.path), str(tmp_path / missing))
    assert (done.returncode, done.stdout) == (2, "")
    assert "no ledger here" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_table_imports_no_torch():
    code = "import sys, results.compare; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
