"""The demo's voice dataset: clips of the new voice, their transcripts and one reference recording."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import soundfile as sf

from demo.corpus import DIGITS, SAMPLE_RATE, synthesise, texts
from demo.voices import NEW_VOICE

SINGLE_WORD_CLIPS = 4
CLIPS = 48
TEXT_SEED = 0
"""It stays, because the probe's lines were chosen to be none of these texts."""
REFERENCE_TEXT = "four one nine three seven zero two eight five six"


def clip_texts() -> list[str]:
    """48 different strings: four of one word, the others of two to eight words, none of them the reference's."""
    rng = random.Random(TEXT_SEED)
    chosen = list(rng.sample(DIGITS, SINGLE_WORD_CLIPS))
    for text in texts(rng, range(2, 9), held_out=False):
        if len(chosen) == CLIPS:
            break
        if text not in chosen and text != REFERENCE_TEXT:
            chosen.append(text)
    rng.shuffle(chosen)
    return chosen


def write_voice(folder: Path) -> None:
    """Writes metadata.jsonl, clip_000.wav ..., ref.wav and ref_text.txt: 24 kHz mono, 16 bit."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, text in enumerate(clip_texts()):
        name = f"clip_{number:03d}.wav"
        write_wave(folder / name, synthesise(text, NEW_VOICE))
        lines.append(json.dumps({"audio_filepath": name, "text": text}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    write_wave(folder / "ref.wav", synthesise(REFERENCE_TEXT, NEW_VOICE))
    (folder / "ref_text.txt").write_text(REFERENCE_TEXT + "\n")


def write_wave(path: Path, wave: np.ndarray) -> None:
    """wave: [samples] float32, 24 kHz."""
    sf.write(path, wave, SAMPLE_RATE, subtype="PCM_16")
