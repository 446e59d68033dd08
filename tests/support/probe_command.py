"""`python -m trainable.probe` as a test runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
from typer.testing import CliRunner, Result

from tests.support.corruptions import DEMO_VOICE, demo_clips, joined_lines
from tests.support.paths import ROOT
from trainable.probe.__main__ import app
from trainable.speech.audio import SAMPLE_RATE

DEMO_CHECKPOINT = ROOT / "demo" / "checkpoint"
WAVE, TEXT = next(line for line in joined_lines(demo_clips(), 4.0) if len(line[1]) > 50)
LISTENING = ["--recogniser", "pocketsphinx", "--language", "en"]
ENCODING = ["--encoder", DEMO_CHECKPOINT]


def probe(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def recording(path: Path, wave: np.ndarray, rate: int = SAMPLE_RATE, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, wave, rate, subtype=subtype)
    return path


def verdict(*arguments: object) -> dict:
    result = probe(*arguments, "--json")
    assert result.exit_code in (0, 1), result.output
    said = json.loads(result.stdout)
    assert result.exit_code == (0 if said["accepted"] else 1)
    return said


def no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


CLIP = DEMO_VOICE / "clip_000.wav"


def manifest(folder: Path, *lines: object) -> Path:
    path = folder / "many.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path
