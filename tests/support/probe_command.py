"""Runs `python -m trainable.probe` in this process on recordings made from the demo voice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
from typer.testing import CliRunner, Result

from tests.support.corruptions import demo_clips, joined_lines
from tests.support.paths import DEMO, DEMO_VOICE
from trainable.probe.__main__ import app
from trainable.speech.audio import SAMPLE_RATE

WAVE, TEXT = next(line for line in joined_lines(demo_clips(), 4.0) if len(line[1]) > 50)
CLIP = DEMO_VOICE / "clip_000.wav"
WITH_RECOGNISER = ["--recogniser", "pocketsphinx", "--language", "en"]
WITH_ENCODER = ["--encoder", DEMO / "checkpoint"]


def probe(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def recording(path: Path, wave: np.ndarray, rate: int = SAMPLE_RATE, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, wave, rate, subtype=subtype)
    return path


def verdict(*arguments: object) -> dict:
    """The JSON verdict on one recording; its exit code is checked."""
    result = probe(*arguments, "--json")
    assert result.exit_code in (0, 1), result.output
    judged = json.loads(result.stdout)
    assert result.exit_code == (0 if judged["accepted"] else 1)
    return judged


def no_constant(name: str) -> None:
    """For `json.loads(parse_constant=…)`: NaN and Infinity are not JSON."""
    raise AssertionError(f"{name} is no JSON")


def manifest(folder: Path, *lines: object) -> Path:
    path = folder / "many.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path
