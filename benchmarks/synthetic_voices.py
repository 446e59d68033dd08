"""Synthetic speakers by espeak-ng and flite: sentences, gibberish and slips of the tongue in the same voice."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spaces.errors import InputError
from trainable.audio import read_audio

SENTENCES = Path(__file__).parent / "sentences.txt"
VOICES = (
    ("flite", "slt"),
    ("espeak-ng", "en-us+m1"),
    ("flite", "rms"),
    ("espeak-ng", "en-gb+f2"),
    ("flite", "kal16"),
    ("espeak-ng", "en-us+f4"),
    ("flite", "awb"),
    ("espeak-ng", "en-gb-scotland+m3"),
)
"""In this order, so that any few of them are of both programs."""


@dataclass(frozen=True)
class Line:
    """One sentence of one voice and what is needed to spoil it; each wave is [samples] float32 at 24 kHz."""

    text: str
    wave: np.ndarray
    following: np.ndarray
    """Another sentence of the same voice."""
    other_voice: np.ndarray
    """The same sentence."""
    gibberish: np.ndarray
    one_word_wrong: np.ndarray


def check_synthesisers() -> None:
    """Raises InputError unless espeak-ng and flite are installed."""
    missing = [name for name in ("espeak-ng", "flite") if shutil.which(name) is None]
    if missing:
        raise InputError(
            f"expected espeak-ng and flite on the path, got no {' and no '.join(missing)}; "
            "apt-get install espeak-ng flite"
        )


def lines_of(
    voice: int,
    sentences: Sequence[str],
    chosen: Sequence[int],
    clean: Sequence[Sequence[np.ndarray]],
    folder: Path,
) -> list[Line]:
    """The chosen sentences of a voice, given all voices' clean waves of all sentences."""
    generator = np.random.default_rng(1000 + voice)
    vocabulary = sorted({word for sentence in sentences for word in sentence.lower().rstrip(".?!").split()})
    others = clean[(voice + 1) % len(clean)]
    return [
        Line(
            text=sentences[place],
            wave=clean[voice][place],
            following=clean[voice][(place + 1) % len(sentences)],
            other_voice=others[place],
            gibberish=speak(voice, pseudo_words(sentences[place], generator), generator, folder),
            one_word_wrong=speak(
                voice, with_one_word_wrong(sentences[place], vocabulary, generator), generator, folder
            ),
        )
        for place in chosen
    ]


def speak(voice: int, text: str, generator: np.random.Generator, folder: Path) -> np.ndarray:
    """[samples] float32 at 24 kHz: paced by up to 10 % either way, -26 to -20 dBFS, over noise 38 to 52 dB below.

    The programs are far more even than a person: without this a voice's own clips would spread by nothing.
    """
    program, name = VOICES[voice]
    pace, path = generator.uniform(0.9, 1.1), folder / "spoken.wav"
    if program == "flite":
        command = ["flite", "-voice", name, "--setf", f"duration_stretch={pace:.3f}", "-t", text, "-o", str(path)]
    else:
        command = ["espeak-ng", "-v", name, "-s", str(round(165 / pace)), "-w", str(path), text]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise InputError(
            f"expected speech from `{' '.join(command[:3])}`, got {done.stderr.strip() or done.returncode}"
        )
    wave = read_audio(path)
    wave = wave * 10 ** (generator.uniform(-26, -20) / 20) / np.sqrt(np.mean(np.square(wave)))
    room = np.sqrt(np.mean(np.square(wave))) * 10 ** (-generator.uniform(38, 52) / 20)
    return np.clip(wave + room * generator.standard_normal(wave.size), -0.95, 0.95).astype(np.float32)


def pseudo_words(text: str, generator: np.random.Generator) -> str:
    """Words of syllables that mean nothing, about as long as those of the text."""
    onsets, nuclei, codas = list("bdfgklmnprstvz"), list("aeiou"), ["", "n", "s", "l", "k"]
    return " ".join(
        "".join("".join(map(generator.choice, (onsets, nuclei, codas))) for _ in range(max(1, round(len(word) / 2.4))))
        for word in text.split()
    )


def with_one_word_wrong(text: str, vocabulary: list[str], generator: np.random.Generator) -> str:
    """The text with one word of the set's others in place of one of its own."""
    said = text.split()
    known = {word.lower().strip(".,?!") for word in said}
    said[generator.integers(1, len(said) - 1)] = str(generator.choice([w for w in vocabulary if w not in known]))
    return " ".join(said)
