"""Whole searches whose run is kept in storage, and what becomes of one whose head is lost."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import Console

from results.run.ledger import Ledger, TrialDrawn, TrialEnded, read_ledger
from results.run.run_folder import RunFolder
from search import driver
from search.checking.checks import check_plan
from search.console.after import DONE
from search.planning.arguments import Arguments
from search.planning.plan import Plan, make_plan
from search.run_state import sync
from search.run_state.lock import writer_lock
from search.run_state.restore import check_storage, restore_run
from search.run_state.sync import StopSignal, mirrored, pull_data, pull_prepared, push_bookkeeping
from spaces.errors import InputError
from spaces.storage_uri import Storage
from tests.support import made_runs
from tests.support.faulty_storage import faulty, tree, write
from tests.support.toy_search import toy_plan
from trainable.files.mirror import push
from trainable.files.trial_folder import TrialFolder

pytestmark = pytest.mark.ray


def stored_plan(folder: Path, **more) -> Plan:
    plan = toy_plan(folder, "tests.support.toy_family", **more)
    return dataclasses.replace(plan, storage=f"file://{folder}/storage")


def run_search(plan: Plan):
    return driver.run_search(*check_plan(plan), Console(file=io.StringIO(), width=200))


def resume(plan: Plan, **typed) -> Plan:
    """As `--resume --out RUN` would, with these options."""
    arguments = Arguments(out=plan.run.path, resume=True, **typed)
    restore_run(arguments, lambda what, done, of: None)
    return make_plan(arguments, datetime.now(), {})


def no_times(outcomes) -> dict:
    return {trial: (each.ending, each.draw, each.verdict and each.verdict.score) for trial, each in outcomes.items()}


@pytest.mark.soak
@pytest.mark.usefixtures("local_ray")
def test_a_search_goes_on_from_storage_after_its_head_is_lost(tmp_path) -> None:
    plan = stored_plan(tmp_path, trials=1)
    assert run_search(plan).exit_code == DONE
    before, kept = read_ledger(plan.run.ledger), tree_names(plan.run.path)
    assert before.storage == plan.storage
    in_storage = tree_names(tmp_path / "storage")
    assert in_storage >= kept - {"ray/messages.log"}
    assert f"data{tmp_path}/voice/metadata.jsonl" in in_storage
    assert any((tmp_path / "storage" / "ray").glob("bench-*"))

    shutil.rmtree(plan.run.path)
    again = resume(plan, storage=plan.storage, trials=2)
    assert tree_names(plan.run.path) >= kept - {"ray/messages.log"}
    assert (again.storage, again.model, again.seed) == (plan.storage, plan.model, plan.seed)
    finish = run_search(dataclasses.replace(again, family=plan.family))
    after = read_ledger(plan.run.ledger)
    assert (finish.exit_code, after.problems, after.running) == (DONE, (), ())
    assert no_times(after.outcomes).items() >= no_times(before.outcomes).items()
    assert len(after.outcomes) == 2 and after.base == before.base
    assert (plan.run.best / "sample.wav").is_file()
    assert (tmp_path / "storage" / "ledger.jsonl").read_bytes() == plan.run.ledger.read_bytes()


@pytest.mark.soak
@pytest.mark.usefixtures("local_ray")
def test_an_isolated_search_is_kept_in_storage_too(tmp_path) -> None:
    plan = stored_plan(tmp_path, trials=1)
    plan = dataclasses.replace(plan, mode=dataclasses.replace(plan.mode, isolate=True))
    assert run_search(plan).exit_code == DONE
    assert tree_names(tmp_path / "storage") >= tree_names(plan.run.path) - {"ray/messages.log"}


def tree_names(folder: Path) -> set[str]:
    """All but Ray Tune's own files, which stay on the head."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith(("ray/tune/", ".")) and "/." not in name}


def crafted_run(folder: Path, name: str = "run") -> Plan:
    """A run with t000 ended and t001 running, pushed whole."""
    plan = stored_plan(folder)
    plan = dataclasses.replace(plan, run=RunFolder(folder / name))
    ledger = Ledger(plan.run.ledger)
    ledger.append(
        made_runs.started("tests.support.toy_family", plan.model).model_copy(update={"storage": plan.storage})
    )
    for trial in ("t000", "t001"):
        ledger.append(TrialDrawn(trial=trial, draw=made_runs.draw()))
        write(plan.run.trial(trial), {"curve.jsonl": ""})
    ledger.append(TrialEnded(outcome=made_runs.outcome("t000")))
    for trial in ("t000", "t001"):
        push(plan.stored, plan.run.trial(trial))
    push_bookkeeping(plan)
    return plan


def test_a_disk_that_is_behind_storage_is_brought_up_to_it(tmp_path) -> None:
    plan = crafted_run(tmp_path)
    shutil.copytree(plan.run.path, tmp_path / "old", dirs_exist_ok=True)
    Ledger(plan.run.ledger).append(TrialEnded(outcome=made_runs.outcome("t001")))
    push_bookkeeping(plan)
    old = dataclasses.replace(plan, run=RunFolder(tmp_path / "old"))
    resume(old)
    assert old.run.ledger.read_bytes() == plan.run.ledger.read_bytes()


def test_a_disk_that_is_ahead_of_storage_keeps_its_ledger(tmp_path) -> None:
    plan = crafted_run(tmp_path)
    Ledger(plan.run.ledger).append(TrialEnded(outcome=made_runs.outcome("t001")))
    before = tree(plan.run.path)
    assert resume(plan).storage == plan.storage
    assert tree(plan.run.path) == before


def test_a_search_that_went_on_in_two_places_is_refused(tmp_path) -> None:
    plan = crafted_run(tmp_path)
    other = dataclasses.replace(plan, run=RunFolder(tmp_path / "other"))
    resume(other, storage=plan.storage)
    for each in (plan, other):
        Ledger(each.run.ledger).append(TrialEnded(outcome=made_runs.outcome("t001")))
    push_bookkeeping(other)
    with pytest.raises(InputError, match="continued separately"):
        resume(plan)


def test_storage_without_a_search_is_told(tmp_path) -> None:
    plan = stored_plan(tmp_path)
    with pytest.raises(InputError, match="no search is kept there"):
        resume(plan, storage=plan.storage)


def test_storage_with_another_search_is_refused(tmp_path) -> None:
    plan = crafted_run(tmp_path)
    with pytest.raises(InputError, match="holds another search"):
        check_storage(dataclasses.replace(plan, run=RunFolder(tmp_path / "new")))
    assert check_storage(dataclasses.replace(plan, resume=True))[0].check == "storage"


def test_trials_that_the_lost_ledger_did_not_know_are_taken_up(tmp_path) -> None:
    """t002 has ended, t003 has a checkpoint, t004 has neither, and t005 was never heard of."""
    plan = crafted_run(tmp_path)
    state = json.dumps({"draw": made_runs.draw(rank=16).model_dump(mode="json")})
    TrialFolder(plan.run.trial("t002")).write_outcome(made_runs.outcome("t002", drawn=made_runs.draw(rank=4)))
    write(plan.run.trial("t003"), {"checkpoints/step-000004/state.json": state, "checkpoints/step-000004/COMPLETE": ""})
    write(plan.run.trial("t004"), {"curve.jsonl": ""})
    for trial in ("t002", "t003", "t004"):
        push(plan.stored, plan.run.trial(trial))
    shutil.rmtree(plan.run.path)
    resume(plan, storage=plan.storage)
    drawn = read_ledger(plan.run.ledger).drawn
    assert {trial: draw.rank for trial, draw in drawn.items()} == {"t000": 8, "t001": 8, "t002": 4, "t003": 16}
    from search.tuning.resume import read_resume_state

    past = read_resume_state(plan.run, read_ledger(plan.run.ledger))
    assert [outcome.trial for outcome in past.unrecorded] == ["t002"]
    assert [trial for trial, _ in past.unfinished] == ["t001", "t003"]
    assert past.next_number == 5


def test_a_search_that_began_without_storage_is_pushed_whole(tmp_path) -> None:
    plan = crafted_run(tmp_path)
    moved = dataclasses.replace(plan, storage=f"file://{tmp_path}/moved", resume=True)
    write(plan.run.path, {"prepared/roster.json": "", "base/outcome.json": ""})
    with mirrored(moved, check_plan(stored_plan(tmp_path / "new"))[1], print):
        pass
    names = tree_names(tmp_path / "moved")
    assert {name for name in names if not name.startswith("data/")} == tree_names(plan.run.path)


def test_storage_that_fails_while_a_search_runs_is_told_once_and_caught_up_with(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sync, "STOP_CHECK_SECONDS", 0.01)
    monkeypatch.setattr(sync, "MIRROR_SECONDS", 0.01)
    plan = crafted_run(tmp_path)
    (_, checked), said = check_plan(stored_plan(tmp_path / "new")), []
    with mirrored(plan, checked, said.append):
        with faulty(fails_from=0) as storage:
            Ledger(plan.run.ledger).append(TrialEnded(outcome=made_runs.outcome("t001")))
            while len(storage.touched) < 3:
                pass
        assert len(said) == 1 and said[0].startswith(f"{plan.storage}: cannot be written")
    assert (tmp_path / "storage" / "ledger.jsonl").read_bytes() == plan.run.ledger.read_bytes()


def test_another_node_finds_what_the_head_alone_has_at_the_same_place(tmp_path) -> None:
    """A dataset and lines of one's own, and nothing else; the head's own disk stays as it is."""
    lines = tmp_path / "own" / ".hidden" / "lines.txt"
    write(lines.parent, {"lines.txt": "one line of my own\n"})
    plan = stored_plan(tmp_path)
    _, checked = check_plan(plan)
    plan = dataclasses.replace(plan, space=crafted_lines(plan, lines))
    with writer_lock(plan.run), mirrored(plan, checked, print):
        voice = tmp_path / "voice"
        expected = {path.name: path.read_bytes() for path in voice.iterdir()}
        (voice / "clip_00.wav").write_bytes(b"changed on the head")
        pull_data(plan.stored, plan.sources)
        assert (voice / "clip_00.wav").read_bytes() == b"changed on the head"
    shutil.rmtree(voice)
    lines.unlink()
    node = Storage(root=tmp_path / "node", uri=plan.storage)
    foreign = {f"data{tmp_path}/other/module.py": "import os", f"given{tmp_path}/.profile": "evil", "data/../x.wav": ""}
    write(tmp_path / "storage", foreign)
    pull_data(node, plan.sources)
    pull_prepared(node, str(lines))
    assert {path.name: path.read_bytes() for path in voice.iterdir()} == expected
    assert lines.read_text() == "one line of my own\n"
    assert not (tmp_path / "other").exists() and not (tmp_path / ".profile").exists()


def crafted_lines(plan: Plan, lines: Path):
    return plan.space.model_copy(update={"probe": plan.space.probe.model_copy(update={"lines": str(lines)})})


def test_a_trial_by_itself_learns_from_storage_that_it_is_to_stop(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(StopSignal, "SECONDS", 0.0)
    storage = f"file://{tmp_path}/storage"
    here, there = (Storage(root=tmp_path / name, uri=storage) for name in ("here", "there"))
    sign = StopSignal(there, there.root / "stop")
    assert not sign()
    write(here.root, {"stop": ""})
    push(here, here.root / "stop")
    assert sign() and not (there.root / "stop").exists()


def test_where_nodes_share_a_folder_that_is_looked_at(tmp_path) -> None:
    sign = StopSignal(None, tmp_path / "stop")
    assert not sign()
    (tmp_path / "stop").touch()
    assert sign()
