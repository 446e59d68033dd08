"""The corruptions of speech in the benchmark of the judge, and the share of each that must be detected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.synthetic_voices import Line
from tests.support.corruptions import CORRUPTIONS, pitch_shift, stretch
from trainable.probe.measures.similarity import active_audio
from trainable.speech.audio import SAMPLE_RATE

Spoil = Callable[[Line, np.random.Generator], np.ndarray]

EACH_CLIP, HARD_SET = 0.95, 0.85


@dataclass(frozen=True)
class Kind:
    """One kind of corruption."""

    spoil: Spoil
    target: float | None = EACH_CLIP
    """Least share that must be detected; None where the share is only reported."""
    per_set: bool = False
    """Whether four lines are judged together: some faults of tempo and voice show only in several lines."""


def _of_wave(name: str) -> Spoil:
    return lambda line, generator: CORRUPTIONS[name](line.wave, generator)


def _clipped(line: Line, generator: np.random.Generator) -> np.ndarray:
    """With peaks 12 dB over full scale."""
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
    """Keeps 30 % at each end."""
    return np.concatenate([line.wave[: int(0.3 * line.wave.size)], line.wave[int(0.7 * line.wave.size) :]])


def _run_together(line: Line, generator: np.random.Generator) -> np.ndarray:
    """Without the pauses, and 1.6 times as fast."""
    return stretch(active_audio(line.wave), 1 / 1.6)


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
    "rushed 1.6": Kind(lambda line, generator: stretch(line.wave, 1 / 1.6), per_set=True),
    "run together": Kind(_run_together, per_set=True),
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
"""Those of tests/support/corruptions.py, and those that need words or another voice. `rushed` and `slow` are by 1.5,
`pitch shift` is 4 semitones up. Flattened speech is no failure: the judge only lowers its score."""
