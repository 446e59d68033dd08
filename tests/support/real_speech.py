"""Real recognisers and a human voice, where they have been fetched (`fetch_real_speech.sh` beside this file)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from trainable.speech.audio import SAMPLE_RATE, resample

FOLDER = "SWEETSPOT_REAL_SPEECH"
TRANSCRIPT = re.compile(r"([\w/+-]+)\s*:\s+(.*\S)")


@dataclass(frozen=True)
class Prompt:
    """A recording of the voice."""

    file: Path
    text: str

    def wave(self) -> np.ndarray:
        """[samples] float32 at 24 kHz."""
        import av

        with av.open(str(self.file), format="g722") as container:
            rate = container.streams.audio[0].rate
            pieces = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
        return resample(np.concatenate(pieces).astype(np.float32) / 2**15, rate, SAMPLE_RATE)


def real_whisper(name: str) -> str:
    """The folder of `whisper-tiny.en` or `whisper-base`, of CTranslate2. Skips the test without it."""
    pytest.importorskip("faster_whisper", reason="the extra fast-whisper is not installed")
    return str(_fetched(name))


def human_prompts() -> dict[str, Prompt]:
    """Recordings of one woman with exact transcripts, by name: those that have one. Skips the test without them."""
    pytest.importorskip("av", reason="PyAV, which reads G.722, is not installed")
    voice = _fetched("asterisk-en")
    lines = (voice / "transcripts.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    found = [match for match in map(TRANSCRIPT.match, lines) if match]
    prompts = {match[1]: Prompt(voice / "prompts" / f"{match[1]}.g722", match[2]) for match in found}
    return {name: prompt for name, prompt in prompts.items() if prompt.file.is_file()}


def _fetched(name: str) -> Path:
    path = Path(os.environ.get(FOLDER, "")) / name
    if FOLDER not in os.environ or not path.is_dir():
        pytest.skip(f"{name} is not here; tests/support/fetch_real_speech.sh FOLDER, and {FOLDER}=FOLDER")
    return path
