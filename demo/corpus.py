"""Digit strings read by espeak-ng: 24 kHz mono float32, trimmed and with a fixed peak."""

from __future__ import annotations

import random
import shutil
import subprocess
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.signal import resample_poly

SAMPLE_RATE = 24_000
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ESPEAK_RATE = 22_050
"""Hz."""
PEAK = 0.7
TRIM_WINDOW = 240
"""Samples; 10 ms."""
LEAD_WINDOWS, TAIL_WINDOWS = 4, 10


@dataclass(frozen=True)
class EspeakVoice:
    """An espeak-ng voice: variant, pitch (0–99), and speed in words per minute."""

    variant: str
    pitch: int
    speed: int


def synthesise(text: str, voice: EspeakVoice) -> np.ndarray:
    """Reads `text` → [samples] float32, 24 kHz, peak 0.7, with 40 ms before the speech and 100 ms after it.

    Raises RuntimeError if espeak-ng is missing or cannot read the text.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise RuntimeError(
            "espeak-ng is not installed, and the demo voice is made with it; run apt-get install espeak-ng"
        )
    name, pitch, speed = f"en-us+{voice.variant}", str(voice.pitch), str(voice.speed)
    command = [program, "-v", name, "-p", pitch, "-s", speed, "-g", "2", "--stdout", text]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0 or len(done.stdout) <= 44:
        raise RuntimeError(f"espeak-ng could not read {text!r} as {name}: {done.stderr.decode(errors='replace')}")
    # espeak-ng streams, so the sizes in its 44-byte header are placeholders. The samples follow the header.
    pcm = done.stdout[44 : 44 + (len(done.stdout) - 44) // 2 * 2]
    wave = resample_poly(np.frombuffer(pcm, dtype="<i2").astype(np.float32), SAMPLE_RATE // 150, ESPEAK_RATE // 150)
    return trim(wave.astype(np.float32) * (PEAK / max(float(np.abs(wave).max()), 1.0)))


def trim(wave: np.ndarray) -> np.ndarray:
    """wave: [samples] → from its first to its last audible 10 ms, with a short lead and tail."""
    windows = len(wave) // TRIM_WINDOW
    rms = np.sqrt((wave[: windows * TRIM_WINDOW].reshape(windows, TRIM_WINDOW) ** 2).mean(1))
    audible = np.flatnonzero(rms > 0.008 * PEAK)
    start = max(0, int(audible[0]) - LEAD_WINDOWS) * TRIM_WINDOW
    return wave[start : (int(audible[-1]) + TAIL_WINDOWS) * TRIM_WINDOW]


def is_held_out(text: str) -> bool:
    """A hash holds out a tenth of all strings of three and more words from pre-training."""
    return len(text.split()) >= 3 and zlib.crc32(text.encode()) % 10 == 0


def texts(rng: random.Random, lengths: Iterable[int], held_out: bool) -> Iterator[str]:
    """Yields digit strings without end, with a random number of words out of `lengths`; all held out, or none."""
    choices = tuple(lengths)
    while True:
        text = " ".join(rng.choice(DIGITS) for _ in range(rng.choice(choices)))
        if is_held_out(text) == held_out:
            yield text
