"""Runs and adapters of an earlier version are still compared, shown, exported and spoken with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
import torch
from safetensors.torch import load_file

from results import compare, speak
from results.export import __main__ as export
from results.report import __main__ as report
from results.run.run_folder import RunFolder
from tests.support.earlier_run import ADAPTER, TABLE, copy_run
from tests.support.paths import DEMO
from tests.support.toy_run import command

PLACES = ("run", "model")
"""Values of a table that depend on where the run and the checkout lie."""


@pytest.fixture
def earlier(tmp_path: Path) -> RunFolder:
    return copy_run(tmp_path)


def test_its_table_is_what_it_was(earlier: RunFolder) -> None:
    code, printed = command(compare.compare, earlier.path, "--json")
    now, then = json.loads(printed), json.loads(TABLE.read_text())
    assert code == 0
    assert [{**table, **dict.fromkeys(PLACES)} for table in now] == [
        {**table, **dict.fromkeys(PLACES)} for table in then
    ]


def test_its_page_names_every_trial_and_plays_its_recordings(earlier: RunFolder) -> None:
    code, printed = command(report.report, earlier.path)
    assert code == 0, printed
    page = (earlier.path / "report" / "index.html").read_text()
    for spoken in ("base", "t000", "t001"):
        assert all(f"media/{spoken}/probe/line_{number:02d}.wav" in page for number in range(5))


def test_its_best_adapter_is_exported_with_the_weights_of_then(earlier: RunFolder, tmp_path: Path) -> None:
    code, printed = command(export.export, earlier.path, tmp_path / "adapter")
    assert code == 0, printed
    now, then = (load_file(folder / "adapter_model.safetensors") for folder in (tmp_path / "adapter", ADAPTER))
    assert now.keys() == then.keys() and all(torch.equal(now[name], then[name]) for name in then)


def test_its_adapter_speaks(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    code, printed = command(speak.speak, ADAPTER, "seven two nine", out, "--model", DEMO / "checkpoint", "--seed", 3)
    assert code == 0, printed
    assert "ended" in printed and soundfile.info(out).duration > 0.5
