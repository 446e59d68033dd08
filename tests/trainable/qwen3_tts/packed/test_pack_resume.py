"""A trial that is interrupted in one seat is resumed in another seat of another process, beside other trials."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.pack_processes import CUT, DRAWS, FRAMES, in_processes, resume_elsewhere, train_together
from tests.support.pack_runs import Left, job, one_shape
from tests.support.qwen_fixtures import Tiny
from trainable.files.trial_folder import TrialFolder
from trainable.training.checkpoint import read_checkpoints


@one_shape
def test_it_ends_as_if_it_had_not_been_interrupted(tiny: Tiny, tmp_path: Path) -> None:
    uncut = {}
    for frames in FRAMES:
        folder = tmp_path / frames
        cut, whole = (job(folder / name, DRAWS["dropped"]) for name in ("cut", "whole"))
        pairs, each = (DRAWS[name] for name in ("pairs", "clips"))
        train_together(tiny, frames, [job(folder / "1", pairs), job(folder / "2", each), cut], until=("cut", CUT))
        [checkpoint] = read_checkpoints(TrialFolder(cut.path).checkpoints)
        assert checkpoint.state.point.step == 3 < CUT == TrialFolder(cut.path).read_points()[-1].step
        train_together(tiny, frames, [job(folder / "3", pairs), whole, job(folder / "4", each)])
        uncut[frames] = Left.read(whole)
    in_processes(resume_elsewhere, [(tiny.folder, tmp_path)])
    resumed = {frames: Left.read(job(tmp_path / frames / "cut", DRAWS["dropped"])) for frames in FRAMES}

    assert resumed["even"].curve == uncut["even"].curve
    for name, weight in uncut["even"].weights.items():
        assert torch.equal(resumed["even"].weights[name], weight), name
    resumed["uneven"].assert_equals(uncut["uneven"], 1e-4, 1e-4)
    # The tolerances are tight enough to tell two trials apart.
    with pytest.raises(AssertionError):
        resumed["uneven"].assert_equals(uncut["even"], 1e-4, 1e-4)
