"""The command's surroundings: a cache of its own, a wide terminal, and no optional encoder."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from trainable.files.cache import VARIABLE
from trainable.probe.measures.dnsmos import overall_quality


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    # These tests must not depend on whether an optional package is installed.
    monkeypatch.setattr("trainable.probe.recordings.reference_voices.default_encoder", lambda: None)


@pytest.fixture(autouse=True)
def rated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many of these tests rate the same ten recordings of the demo voice, which takes seconds; each is rated once."""
    monkeypatch.setattr(
        "trainable.probe.recordings.judge_recording.overall_quality", lambda wave: _quality(wave.tobytes(), wave.dtype)
    )


@functools.cache
def _quality(samples: bytes, dtype: np.dtype) -> float | None:
    return overall_quality(np.frombuffer(samples, dtype))
