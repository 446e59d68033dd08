"""Where recordings are judged as a command does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainable.files.cache import VARIABLE


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    # Whether an optional package is installed here is not what these tests are about.
    monkeypatch.setattr("trainable.probe.recordings.reference_voices.default_encoder", lambda: None)
