"""Small voice datasets for tests, made of tones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

from trainable.speech.audio import SAMPLE_RATE

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


def murmur(seconds: float, hertz: float = 200.0) -> np.ndarray:
    """[samples] float32 at 24 kHz: syllables, pauses and formants that the probe's measures take for speech."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    generator = np.random.default_rng(0)
    knots = generator.uniform(size=(4, int(5 * seconds) + 3))
    pitch, low, high, rhythm = (np.interp(5 * time, np.arange(knots.shape[1]), row) for row in knots)
    pitch = hertz * 2 ** (0.5 * (pitch - 0.5))
    formants = ((400 + 2200 * low, 1.0), (600 + 4000 * high, 0.6))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    turn, partial, voiced = np.exp(1j * phase), np.ones(time.size, complex), np.zeros(time.size)
    for part in range(1, 16):
        partial = partial * turn
        strength = sum(weight * np.exp(-(((part * pitch - formant) / 500) ** 2)) for formant, weight in formants)
        voiced += strength * partial.imag
    syllables = 0.12 + 0.88 * np.sin(np.pi * (2.3 * time + 0.3 * rhythm)) ** 2
    return (0.1 * syllables * voiced + generator.normal(0, 5e-4, time.size)).astype(np.float32)


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
