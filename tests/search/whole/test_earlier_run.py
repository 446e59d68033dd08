"""A search that an earlier version began is resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from results.run.ledger import read_ledger
from spaces.records.trial import Ending
from tests.support.earlier_run import copy_run
from tests.support.paths import DEMO_VOICE
from tests.support.toy_run import command

pytestmark = pytest.mark.ray


def test_a_trial_that_was_cut_off_goes_on_from_its_checkpoint_to_the_verdict_of_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search import run as search_command

    run = copy_run(tmp_path)
    then = read_ledger(run.ledger).outcomes["t001"]
    lines = run.ledger.read_text().splitlines()
    cut = next(
        number for number, line in enumerate(lines) if json.loads(line).get("outcome", {}).get("trial") == "t001"
    )
    run.ledger.write_text("".join(f"{line}\n" for line in lines[:cut]))
    (run.trial("t001") / "outcome.json").unlink()

    code, printed = command(
        search_command.run, "--out", run.path, "--resume", "--trials", 2, "--data", DEMO_VOICE, "--address", "local"
    )
    assert code == 0, printed
    now = read_ledger(run.ledger).outcomes["t001"]
    assert (now.ending, now.checkpoint) == (Ending.IN_BAND, then.checkpoint)
    assert now.verdict.accepted and now.verdict.score == pytest.approx(then.verdict.score, abs=1e-3)
    assert (run.path / "best" / "sweetspot.json").is_file()
