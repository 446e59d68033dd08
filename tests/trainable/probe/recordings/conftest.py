"""The command's surroundings: a cache of its own, a wide terminal, and no optional encoder."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import pytest

from trainable.dataset.clip import Clip
from trainable.files.cache import VARIABLE
from trainable.probe.recordings.judge_recording import VoiceBaseline, measure_voice
from trainable.speech.asr.recogniser import Recogniser


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    # These tests must not depend on whether an optional package is installed.
    monkeypatch.setattr("trainable.probe.recordings.reference_voices.default_encoder", lambda: None)


@pytest.fixture(autouse=True)
def measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many of these tests give the same recordings with --like, whose measures take seconds; they are taken once."""

    def measure(clips: Sequence[Clip], recogniser: Recogniser | None, language: str) -> VoiceBaseline:
        return _measured(tuple(clips), language) if recogniser is None else measure_voice(clips, recogniser, language)

    monkeypatch.setattr("trainable.probe.recordings.command.measure_voice", measure)


@functools.cache
def _measured(clips: tuple[Clip, ...], language: str) -> VoiceBaseline:
    return measure_voice(clips, None, language)
