"""A folder of recordings that nobody has written down yet."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.paths import ROOT
from trainable.dataset.__main__ import app

VOICE = ROOT / "demo" / "voice"


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """Six clips of the demo voice, without transcripts."""
    folder = tmp_path / "voice"
    folder.mkdir()
    for number in range(6):
        shutil.copy(VOICE / f"clip_{number:03d}.wav", folder)
    return folder


def command(*arguments: object) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["transcribe", *map(str, arguments)])
    return answer.exit_code, answer.output
