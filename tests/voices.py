"""Small voice datasets for tests, made of tones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

from trainable.audio import SAMPLE_RATE

TEXTS = (
    "the first of several quiet sentences",
    "another line, a little longer than the last one",
    "short words",
    "and one more to make the mean worth taking",
    "rivers run down to the sea",
    "nobody said anything for a while",
    "yes",
    "the end of the list is near now",
)


def tone(seconds: float, hertz: float = 200.0) -> np.ndarray:
    """[samples] float32 at 24 kHz."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def make_voice(folder: Path, texts: tuple[str, ...] = TEXTS, seconds_per_letter: float = 0.06) -> Path:
    """A dataset in the guide's layout; every clip is as long as its letters ask for."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for index, text in enumerate(texts):
        letters = sum(character.isalnum() for character in text)
        soundfile.write(folder / f"clip_{index:02d}.wav", tone(letters * seconds_per_letter), SAMPLE_RATE)
        rows.append(json.dumps({"audio_filepath": f"clip_{index:02d}.wav", "text": text}))
    (folder / "metadata.jsonl").write_text("\n".join(rows) + "\n")
    soundfile.write(folder / "ref.wav", tone(10.0), SAMPLE_RATE)
    (folder / "ref_text.txt").write_text("ten seconds of one tone")
    return folder
