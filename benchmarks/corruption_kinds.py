"""Synthetic speech by espeak-ng and flite, and every way in which the judge's benchmark spoils it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spaces.errors import InputError
from tests.corruptions import CORRUPTIONS, pitch_shift, stretch
from trainable.audio import SAMPLE_RATE, read_audio

Spoil = Callable[["Line", np.random.Generator], np.ndarray]

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

EACH_CLIP, HARD_SET = 0.95, 0.85


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


@dataclass(frozen=True)
class Kind:
    """One way to spoil a line."""

    spoil: Spoil
    target: float | None = EACH_CLIP
    """Least share to be detected; None where the share is only reported."""
    per_set: bool = False
    """Whether four lines are judged together: some of tempo and voice shows in several lines only."""


def _of_wave(name: str) -> Spoil:
    return lambda line, generator: CORRUPTIONS[name](line.wave, generator)


def _clipped(line: Line, generator: np.random.Generator) -> np.ndarray:
    """The peaks 12 dB over full scale."""
    return np.clip(line.wave * (4 / np.abs(line.wave).max()), -1, 1)


def _shuffled(seconds: float) -> Spoil:
    def spoil(line: Line, generator: np.random.Generator) -> np.ndarray:
        length = int(seconds * SAMPLE_RATE)
        pieces = [line.wave[start : start + length] for start in range(0, line.wave.size, length)]
        return np.concatenate([pieces[place] for place in generator.permutation(len(pieces))])

    return spoil


def _cut(share: float) -> Spoil:
    return lambda line, generator: line.wave[: int(share * line.wave.size)]


def _without_middle(line: Line, generator: np.random.Generator) -> np.ndarray:
    """30 % at either end are left."""
    return np.concatenate([line.wave[: int(0.3 * line.wave.size)], line.wave[int(0.7 * line.wave.size) :]])


def _silence_and_noise(line: Line, generator: np.random.Generator) -> np.ndarray:
    noise = 0.05 * generator.standard_normal(line.wave.size // 2)
    return np.concatenate([np.zeros(line.wave.size - noise.size), noise])


def _changed_midway(line: Line, generator: np.random.Generator) -> np.ndarray:
    return np.concatenate([line.wave[: line.wave.size // 2], line.other_voice[line.other_voice.size // 2 :]])


_OF_ONE_WAVE = {name: Kind(_of_wave(name)) for name in CORRUPTIONS if name != "clean"}

KINDS: dict[str, Kind] = _OF_ONE_WAVE | {
    "silence": Kind(lambda line, generator: np.zeros_like(line.wave)),
    "very low level": Kind(lambda line, generator: line.wave * 10 ** (-40 / 20)),
    "clipping": Kind(_clipped),
    "silence and noise": Kind(_silence_and_noise),
    "shuffled 100 ms": Kind(_shuffled(0.1)),
    "shuffled 200 ms": Kind(_shuffled(0.2)),
    "gibberish": Kind(lambda line, generator: line.gibberish),
    "wrong text": Kind(lambda line, generator: line.following),
    "cut at 50 %": Kind(_cut(0.5)),
    "dropped middle": Kind(_without_middle),
    "noise 20 dB": Kind(_of_wave("noise 20 dB"), HARD_SET, per_set=True),
    "rushed": Kind(_of_wave("rushed"), per_set=True),
    "rushed 1.3": Kind(lambda line, generator: stretch(line.wave, 1 / 1.3), HARD_SET, per_set=True),
    "slow": Kind(_of_wave("slow"), per_set=True),
    "cut at 75 %": Kind(_cut(0.75), HARD_SET, per_set=True),
    "other voice": Kind(lambda line, generator: line.other_voice, HARD_SET, per_set=True),
    "pitch shift": Kind(lambda line, generator: pitch_shift(line.wave, generator), HARD_SET, per_set=True),
    "voice change midway": Kind(_changed_midway, None, per_set=True),
    "one word wrong": Kind(lambda line, generator: line.one_word_wrong, None),
    "compressed": Kind(_of_wave("compressed"), None),
    "monotone": Kind(_of_wave("monotone"), None),
}
"""Those of tests/corruptions.py and those that need words or another voice. `rushed` and `slow` are by 1.5, `pitch
shift` is by 4 semitones up. What is flattened is no failure: the judge only lowers its score."""


def check_synthesisers() -> None:
    """Raises InputError unless espeak-ng and flite are installed."""
    missing = [name for name in ("espeak-ng", "flite") if shutil.which(name) is None]
    if missing:
        raise InputError(
            f"expected espeak-ng and flite on the path, got no {' and no '.join(missing)}; "
            "apt-get install espeak-ng flite"
        )


def lines_of(
    voice: int, sentences: list[str], first: int, clean: dict[int, list[np.ndarray]], folder: Path
) -> list[Line]:
    """The sentences of a voice from the `first` on, given all voices' clean waves of all sentences."""
    generator = np.random.default_rng(1000 + voice)
    vocabulary = sorted({word for sentence in sentences for word in sentence.lower().rstrip(".?!").split()})
    others = clean[(voice + 1) % len(clean)]
    return [
        Line(
            text=text,
            wave=clean[voice][place],
            following=clean[voice][(place + 1) % len(sentences)],
            other_voice=others[place],
            gibberish=speak(voice, pseudo_words(text, generator), generator, folder),
            one_word_wrong=speak(voice, with_one_word_wrong(text, vocabulary, generator), generator, folder),
        )
        for place, text in enumerate(sentences[first:], start=first)
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
