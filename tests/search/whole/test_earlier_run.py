"""A search that an earlier version began is resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.run.ledger import read_ledger
from search import run as search_command
from spaces.records.trial import Ending
from tests.support.earlier_run import copy_run
from tests.support.paths import DEMO_VOICE
from tests.support.toy_run import command

pytestmark = pytest.mark.ray


def test_a_trial_that_was_cut_off_trains_on_to_the_outcome_that_it_had_undisturbed(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    undisturbed = read_ledger(copy_run(tmp_path / "whole").ledger).outcomes["t001"]
    run = copy_run(tmp_path, cut_off=True)
    code, printed = command(
        search_command.run, "--out", run.path, "--resume", "--trials", 2, "--data", DEMO_VOICE, "--address", "local"
    )
    assert code == 0, printed
    outcome = read_ledger(run.ledger).outcomes["t001"]
    assert (outcome.ending, outcome.checkpoint) == (Ending.IN_BAND, undisturbed.checkpoint)
    assert outcome.point.loss == pytest.approx(undisturbed.point.loss, abs=1e-4)
    assert outcome.verdict.accepted and outcome.verdict.score == pytest.approx(undisturbed.verdict.score, abs=0.02)
    assert (run.path / "best" / "sweetspot.json").is_file()
