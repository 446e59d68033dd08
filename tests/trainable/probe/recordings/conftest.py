"""The command's surroundings: a cache of its own, a wide terminal, and no optional encoder."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainable.files.cache import VARIABLE


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    # These tests must not depend on whether an optional package is installed.
    monkeypatch.setattr("trainable.probe.recordings.reference_voices.default_encoder", lambda: None)
