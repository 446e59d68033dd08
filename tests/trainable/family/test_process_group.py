"""Two processes that train one pack do what one process does with twice the clips per pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from spaces.records.trial import Ending
from tests.support.pack_processes import DRAWS, group_member, in_processes, train_together
from tests.support.pack_runs import Left, job, one_shape
from tests.support.qwen_fixtures import Tiny
from trainable.family.process_group import ProcessGroup


@pytest.fixture(scope="module")
def folder(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a group of two processes and a single process leave. In float64, where nothing hides behind rounding."""
    folder = tmp_path_factory.mktemp("group")
    in_processes(group_member, [(rank, tiny.folder, folder) for rank in range(2)])
    train_together(
        tiny, "uneven", [job(folder / name, chosen) for name, chosen in DRAWS.items()], batch=2, dtype=torch.float64
    )
    return folder


@one_shape
@pytest.mark.parametrize("name", DRAWS)
def test_two_processes_equal_one(folder: Path, name: str) -> None:
    group, one = (Left.read(job(parent / name, DRAWS[name])) for parent in (folder / "member 0", folder))
    assert one.ending is Ending.EXHAUSTED
    group.assert_equals(one, 1e-12, 1e-12)


@one_shape
def test_a_trial_that_is_cut_off_resumes(folder: Path) -> None:
    resumed = Left.read(job(folder / "resumed", DRAWS["dropped"]))
    resumed.assert_equals(Left.read(job(folder / "dropped", DRAWS["dropped"])), 1e-12, 1e-12)


@one_shape
def test_both_processes_emit_the_same_events(folder: Path) -> None:
    events = [json.loads((folder / f"told {rank}.json").read_text()) for rank in range(2)]
    assert events[0] == events[1]
    assert {line["trial"] for line in events[0] if line["finished"]} == {*DRAWS, "resumed", "beside"}


@one_shape
def test_only_the_main_process_writes(folder: Path) -> None:
    assert {path.name for path in (folder / "member 0").iterdir()} == set(DRAWS)
    assert list((folder / "member 1").iterdir()) == []


def test_a_single_process_is_the_main_process() -> None:
    group = ProcessGroup()
    assert group.is_main and group.size == 1
    assert group.broadcast("anything") == "anything"
