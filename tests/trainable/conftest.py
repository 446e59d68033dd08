"""A checkpoint that is trained and a folder that is transcribed, for several rooms."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.paths import DEMO_VOICE
from tests.support.qwen_fixtures import SIZES, Tiny
from tests.support.tiny_qwen import make_tiny_qwen
from trainable.qwen3_tts.checkpoint.load import load_base


@pytest.fixture(scope="session", params=SIZES)
def tiny(request, tmp_path_factory) -> Tiny:
    folder = make_tiny_qwen(tmp_path_factory.mktemp("tiny") / request.param, request.param)
    return Tiny(folder, load_base(str(folder)))


@pytest.fixture
def untranscribed(tmp_path: Path) -> Path:
    """Six clips of the demo voice, without transcripts."""
    folder = tmp_path / "voice"
    folder.mkdir()
    for number in range(6):
        shutil.copy(DEMO_VOICE / f"clip_{number:03d}.wav", folder)
    return folder
