"""Synthetic speakers of espeak-ng and flite: sentences, gibberish and wrong words in the same voice."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spaces.errors import InputError
from spaces.records.verdict import LineKind
from trainable.probe.texts.lines import SHIPPED, load_lines
from trainable.speech.audio import read_audio

SENTENCES = Path(__file__).parent / "sentences.txt"
UNSEEN_SENTENCES = SHIPPED / "english.confirmation.txt"
CALIBRATION = 20


@dataclass(frozen=True)
class Voice:
    """One speaker of a synthesiser."""

    program: str
    name: str
    hertz: int | None = None
    """Mean pitch of a flite voice, to make another speaker of it; None for its own pitch."""

    def __str__(self) -> str:
        return f"{self.program} {self.name}" + (f" at {self.hertz} Hz" if self.hertz else "")


@dataclass(frozen=True)
class Corpus:
    """Voices and sentences."""

    voices: tuple[Voice, ...]
    """Alternating between both synthesisers, so that any few have both."""
    sentences: tuple[str, ...]
    """The first twenty are for calibration."""


def seen() -> Corpus:
    """The voices and sentences that the judge's thresholds were set on."""
    voices = (
        Voice("flite", "slt"),
        Voice("espeak-ng", "en-us+m1"),
        Voice("flite", "rms"),
        Voice("espeak-ng", "en-gb+f2"),
        Voice("flite", "kal16"),
        Voice("espeak-ng", "en-us+f4"),
        Voice("flite", "awb"),
        Voice("espeak-ng", "en-gb-scotland+m3"),
    )
    return Corpus(voices, tuple(SENTENCES.read_text(encoding="utf-8").splitlines()))


def unseen() -> Corpus:
    """Voices and sentences that no threshold was set on: the confirmation lines, and as many other voices.

    Flite's only other voice has 8 kHz, so three of its voices speak at another pitch. Short lines are left out, since
    their words are not judged. Every third line is for calibration, as a voice's own clips have all lengths.
    """
    voices = (
        Voice("flite", "slt", 210),
        Voice("espeak-ng", "en-us+f3"),
        Voice("flite", "rms", 130),
        Voice("espeak-ng", "en-gb+m4"),
        Voice("flite", "kal"),
        Voice("espeak-ng", "en-029"),
        Voice("flite", "awb", 100),
        Voice("espeak-ng", "en-us+m7"),
    )
    lines = [line.text for line in load_lines(str(UNSEEN_SENTENCES)) if line.kind is not LineKind.SHORT]
    known = lines[::3][:CALIBRATION]
    return Corpus(voices, (*known, *(text for text in lines if text not in known)))


@dataclass(frozen=True)
class Line:
    """One sentence of one voice, and what its corruptions need; each wave is [samples] float32 at 24 kHz."""

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
    corpus: Corpus, voice: int, chosen: Sequence[int], clean: Sequence[Sequence[np.ndarray]], folder: Path
) -> list[Line]:
    """The chosen sentences of one voice. `clean`: the waves of all sentences by voice."""
    speaker, sentences = corpus.voices[voice], corpus.sentences
    generator = np.random.default_rng(1000 + voice)
    vocabulary = sorted({word for sentence in sentences for word in sentence.lower().rstrip(".?!").split()})
    others = clean[(voice + 1) % len(clean)]
    return [
        Line(
            text=sentences[place],
            wave=clean[voice][place],
            following=clean[voice][(place + 1) % len(sentences)],
            other_voice=others[place],
            gibberish=speak(speaker, pseudo_words(sentences[place], generator), generator, folder),
            one_word_wrong=speak(
                speaker, with_one_word_wrong(sentences[place], vocabulary, generator), generator, folder
            ),
        )
        for place in chosen
    ]


def speak(voice: Voice, text: str, generator: np.random.Generator, folder: Path) -> np.ndarray:
    """[samples] float32 at 24 kHz, with random tempo (± 10 %), level (-26 to -20 dBFS) and noise (38 to 52 dB below).

    Synthesisers are far more even than a person: without this the clips of a voice would hardly vary.
    """
    tempo, path = generator.uniform(0.9, 1.1), folder / "spoken.wav"
    if voice.program == "flite":
        pitch = ["--setf", f"int_f0_target_mean={voice.hertz}"] if voice.hertz else []
        command = ["flite", "-voice", voice.name, *pitch, "--setf", f"duration_stretch={tempo:.3f}"]
        command += ["-t", text, "-o", str(path)]
    else:
        command = ["espeak-ng", "-v", voice.name, "-s", str(round(165 / tempo)), "-w", str(path), text]
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
    """Words of random syllables, about as long as those of the text."""
    onsets, nuclei, codas = list("bdfgklmnprstvz"), list("aeiou"), ["", "n", "s", "l", "k"]
    return " ".join(
        "".join("".join(map(generator.choice, (onsets, nuclei, codas))) for _ in range(max(1, round(len(word) / 2.4))))
        for word in text.split()
    )


def with_one_word_wrong(text: str, vocabulary: list[str], generator: np.random.Generator) -> str:
    """The text with one word replaced by another of the vocabulary."""
    words = text.split()
    known = {word.lower().strip(".,?!") for word in words}
    words[generator.integers(1, len(words) - 1)] = str(generator.choice([w for w in vocabulary if w not in known]))
    return " ".join(words)
