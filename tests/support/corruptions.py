"""Corrupts speech in the ways in which text-to-speech fails; each corruption is deterministic given its seed."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
from scipy.signal import resample_poly

from tests.support.paths import DEMO_VOICE
from trainable.probe.measures.prosody import HOP, WINDOW, pitch_track
from trainable.speech.audio import SAMPLE_RATE, read_audio

FADE = SAMPLE_RATE // 100
"""Samples of the cross-fade at a soft join, 10 ms."""

STRETCH_WINDOW = SAMPLE_RATE // 25
"""Samples of a time-stretching window, 40 ms."""


def demo_clips() -> list[tuple[np.ndarray, str]]:
    """Every clip of the demo voice, [samples] float32 at 24 kHz, with its transcript."""
    rows = map(json.loads, (DEMO_VOICE / "metadata.jsonl").read_text(encoding="utf-8").splitlines())
    return [(read_audio(DEMO_VOICE / row["audio_filepath"]), row["text"]) for row in rows]


def joined_lines(clips: list[tuple[np.ndarray, str]], min_seconds: float = 3.0) -> list[tuple[np.ndarray, str]]:
    """Joins neighbouring clips to lines of at least `min_seconds`; a shorter remainder is left out."""
    lines, waves, texts = [], [], []
    for wave, text in clips:
        waves.append(wave)
        texts.append(text)
        if sum(each.size for each in waves) >= min_seconds * SAMPLE_RATE:
            lines.append((np.concatenate(waves), " ".join(texts)))
            waves, texts = [], []
    return lines


def loop(wave: np.ndarray, generator: np.random.Generator, *, seconds: float, times: int, soft: bool) -> np.ndarray:
    """Repeats a stretch from the middle `times` times; soft: cross-faded, each a little faster or slower."""
    length = min(int(seconds * SAMPLE_RATE), wave.size // 2)
    start = _within_speech(wave, length, generator)
    part = wave[start : start + length]
    pieces = [wave[: start + length]]
    for _ in range(times):
        pieces.append(resample_poly(part, int(generator.integers(96, 105)), 100) if soft else part)
    return _chain([*pieces, wave[start + length :]], FADE if soft else 0)


def rewind(wave: np.ndarray, generator: np.random.Generator, *, soft: bool) -> np.ndarray:
    """At about 60 % jumps back by 1 to 1.5 s and goes on from there."""
    turn = int(wave.size * generator.uniform(0.55, 0.75))
    back = max(0, turn - int(generator.uniform(1.0, 1.5) * SAMPLE_RATE))
    again = wave[back:]
    if soft:
        again = resample_poly(again, int(generator.integers(96, 105)), 100)
    return _chain([wave[:turn], again], FADE if soft else 0)


def said_twice(wave: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Appends the whole wave again after a short pause, at a slightly different pace."""
    again = stretch(wave, float(generator.uniform(0.95, 1.05)))
    return np.concatenate([wave, np.zeros(SAMPLE_RATE // 4, np.float32), again])


def stutter(wave: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Repeats the last 120 to 200 ms three times, at four places."""
    pieces, last = [], 0
    for place in np.sort(generator.uniform(0.15, 0.9, 4)):
        here = int(place * wave.size)
        length = int(generator.uniform(0.12, 0.2) * SAMPLE_RATE)
        pieces += [wave[last:here], *([wave[max(0, here - length) : here]] * 3)]
        last = here
    return np.concatenate([*pieces, wave[last:]])


def noise(wave: np.ndarray, generator: np.random.Generator, *, snr: float) -> np.ndarray:
    """Adds white noise, `snr` dB below the speech."""
    return _mixed(wave, generator.standard_normal(wave.size), snr)


def buzz(wave: np.ndarray, generator: np.random.Generator, *, snr: float = 10.0) -> np.ndarray:
    """Adds a 100 Hz saw tooth (mains hum) and crackling, `snr` dB below the speech."""
    saw = 2 * (np.arange(wave.size) * 100 / SAMPLE_RATE % 1) - 1
    crackle = (generator.uniform(size=wave.size) < 0.002) * generator.standard_normal(wave.size) * 8
    return _mixed(wave, saw + crackle, snr)


def mu_law(wave: np.ndarray, generator: np.random.Generator, *, levels: int = 8) -> np.ndarray:
    """Quantises to a few µ-law levels."""
    peak = max(float(np.abs(wave).max()), 1e-9)
    companded = np.sign(wave) * np.log1p(255 * np.abs(wave) / peak) / np.log(256)
    rounded = (np.floor((companded + 1) / 2 * levels).clip(0, levels - 1) + 0.5) / levels * 2 - 1
    return (np.sign(rounded) * (256 ** np.abs(rounded) - 1) / 255 * peak).astype(np.float32)


def inner_pause(wave: np.ndarray, generator: np.random.Generator, *, seconds: float = 2.5) -> np.ndarray:
    """Inserts room tone in the middle."""
    middle = int(wave.size * generator.uniform(0.35, 0.65))
    return np.concatenate([wave[:middle], _room(seconds, generator), wave[middle:]])


def trailing_silence(wave: np.ndarray, generator: np.random.Generator, *, seconds: float = 2.5) -> np.ndarray:
    return np.concatenate([wave, np.zeros(int(seconds * SAMPLE_RATE), np.float32)])


def trailing_noise(
    wave: np.ndarray, generator: np.random.Generator, *, seconds: float = 2.5, below: float = 30.0
) -> np.ndarray:
    """Appends white noise, `below` dB under the speech."""
    level = np.sqrt(np.mean(np.square(wave))) * 10 ** (-below / 20)
    tail = level * generator.standard_normal(int(seconds * SAMPLE_RATE))
    return np.concatenate([wave, tail.astype(np.float32)])


def trailing_babble(wave: np.ndarray, generator: np.random.Generator, *, seconds: float = 2.5) -> np.ndarray:
    """Appends shuffled pieces of the voice."""
    length = SAMPLE_RATE * 3 // 20
    starts = generator.integers(0, max(1, wave.size - length), int(seconds * SAMPLE_RATE / length))
    return _chain([wave, *(wave[start : start + length] for start in starts)], FADE)


def reversed_speech(wave: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return np.ascontiguousarray(wave[::-1])


def rushed(wave: np.ndarray, generator: np.random.Generator, *, factor: float = 1.5) -> np.ndarray:
    return stretch(wave, 1 / factor)


def slow(wave: np.ndarray, generator: np.random.Generator, *, factor: float = 1.5) -> np.ndarray:
    return stretch(wave, factor)


def pitch_shift(wave: np.ndarray, generator: np.random.Generator, *, semitones: float = 4.0) -> np.ndarray:
    """Shifts pitch and formants by so many semitones at the same length."""
    ratio = 2 ** (semitones / 12)
    return resample_poly(stretch(wave, ratio), 100, round(100 * ratio)).astype(np.float32)


def pure_tone(wave: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A tone as long as the wave."""
    hertz = generator.uniform(120, 400)
    return (0.2 * np.sin(2 * np.pi * hertz * np.arange(wave.size) / SAMPLE_RATE)).astype(np.float32)


def pure_noise(wave: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """White noise as long as the wave."""
    return (0.05 * generator.standard_normal(wave.size)).astype(np.float32)


def compressed(wave: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Compresses the dynamics to a quarter in dB, over 50 ms, above a gate 40 dB under the loudest level."""
    window = SAMPLE_RATE // 20
    level = np.sqrt(np.convolve(np.square(wave), np.ones(window) / window, mode="same")) + 1e-9
    gain = np.where(level > level.max() / 100, level**-0.75, level.max() ** -0.75)
    return (wave * gain / np.abs(wave * gain).max() * 0.5).astype(np.float32)


def monotone(wave: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Flattens the pitch: resamples each moment by the ratio of its pitch to the median."""
    track = pitch_track(wave)
    voiced = np.flatnonzero(np.isfinite(track))
    steps = np.interp(np.arange(wave.size), voiced * HOP + WINDOW // 2, track[voiced])
    places = np.cumsum(steps / np.median(track[voiced]))
    return np.interp(np.arange(0, places[-1]), places, wave).astype(np.float32)


def stretch(wave: np.ndarray, factor: float) -> np.ndarray:
    """Stretches to `factor` times the length at the same pitch (WSOLA, Verhelst and Roelands 1993)."""
    half, reach = STRETCH_WINDOW // 2, STRETCH_WINDOW // 4
    window = np.hanning(STRETCH_WINDOW).astype(np.float32)
    padded = np.pad(wave, (reach, STRETCH_WINDOW + 2 * reach + half)).astype(np.float32)
    steps = max(1, int(wave.size * factor / half))
    out = np.zeros(steps * half + STRETCH_WINDOW, np.float32)
    natural = reach
    for step in range(steps):
        target = min(reach + int(step * half / factor), padded.size - STRETCH_WINDOW - reach)
        region = padded[target - reach : target + reach + STRETCH_WINDOW]
        follows = padded[natural : natural + STRETCH_WINDOW]
        place = target - reach
        if step and follows.size == STRETCH_WINDOW:
            place += int(np.argmax(np.correlate(region, follows, mode="valid")))
        out[step * half : step * half + STRETCH_WINDOW] += window * padded[place : place + STRETCH_WINDOW]
        natural = place + half
    return out[: int(wave.size * factor)]


CORRUPTIONS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "clean": lambda wave, generator: wave,
    "loop hard": lambda wave, generator: loop(wave, generator, seconds=0.8, times=3, soft=False),
    "loop soft": lambda wave, generator: loop(wave, generator, seconds=0.8, times=3, soft=True),
    "loop word": lambda wave, generator: loop(wave, generator, seconds=0.35, times=4, soft=False),
    "rewind hard": lambda wave, generator: rewind(wave, generator, soft=False),
    "rewind soft": lambda wave, generator: rewind(wave, generator, soft=True),
    "said twice": said_twice,
    "stutter": stutter,
    "noise 20 dB": lambda wave, generator: noise(wave, generator, snr=20),
    "noise 10 dB": lambda wave, generator: noise(wave, generator, snr=10),
    "noise 5 dB": lambda wave, generator: noise(wave, generator, snr=5),
    "noise 0 dB": lambda wave, generator: noise(wave, generator, snr=0),
    "buzz": buzz,
    "mu-law": mu_law,
    "inner pause": inner_pause,
    "trailing silence": trailing_silence,
    "trailing noise": trailing_noise,
    "trailing noise loud": lambda wave, generator: trailing_noise(wave, generator, below=15),
    "trailing babble": trailing_babble,
    "rushed": rushed,
    "slow": slow,
    "reversed": reversed_speech,
    "pitch shift": pitch_shift,
    "tone": pure_tone,
    "pure noise": pure_noise,
    "compressed": compressed,
    "monotone": monotone,
}
"""By name: functions of a wave, [samples] float32 at 24 kHz, and a random generator."""


def corrupted(kind: str, wave: np.ndarray, seed: int) -> np.ndarray:
    """Applies one corruption to [samples] float32 at 24 kHz."""
    return CORRUPTIONS[kind](wave, np.random.default_rng(seed)).astype(np.float32)


def _within_speech(wave: np.ndarray, length: int, generator: np.random.Generator) -> int:
    """The start of a random stretch of `length` samples with at least half the clip's mean power."""
    starts = generator.integers(0, wave.size - length, 50)
    mean = float(np.mean(np.square(wave)))
    return int(next((each for each in starts if np.mean(np.square(wave[each : each + length])) > mean / 2), starts[0]))


def _mixed(wave: np.ndarray, disturbance: np.ndarray, snr: float) -> np.ndarray:
    gain = np.sqrt(np.mean(np.square(wave)) / np.mean(np.square(disturbance))) * 10 ** (-snr / 20)
    return (wave + gain * disturbance).astype(np.float32)


def _room(seconds: float, generator: np.random.Generator) -> np.ndarray:
    """Faint noise at -66 dBFS."""
    return (5e-4 * generator.standard_normal(int(seconds * SAMPLE_RATE))).astype(np.float32)


def _chain(pieces: list[np.ndarray], fade: int) -> np.ndarray:
    """Concatenates the pieces with cross-fades of `fade` samples."""
    whole = pieces[0]
    for piece in pieces[1:]:
        over = min(fade, whole.size, piece.size)
        ramp = np.linspace(0, 1, over, dtype=np.float32)
        joint = whole[whole.size - over :] * (1 - ramp) + piece[:over] * ramp
        whole = np.concatenate([whole[: whole.size - over], joint, piece[over:]])
    return whole
