"""Runs of the toy family, whose adapters can be exported and can speak."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.run.run_folder import RunFolder
from tests.support.toy_run import make_empty, make_run


@pytest.fixture
def empty(tmp_path: Path) -> RunFolder:
    """A run in which only the base model was probed."""
    return make_empty(tmp_path)


@pytest.fixture
def run(empty: RunFolder, tmp_path: Path) -> RunFolder:
    return make_run(empty, tmp_path)
