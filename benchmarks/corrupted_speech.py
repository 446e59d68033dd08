"""What the judge of speech detects and what it raises falsely, on synthetic speech spoilt in every known way.

    python -m benchmarks.corrupted_speech [--voices 8] [--sentences 20] [--deaf]

Needs espeak-ng and flite. Every voice is calibrated on twenty sentences, and judged on others: clean ones on all that
are left, each kind of corruption on the first of them. A clip is judged as the probe judges a line, with its own text
and as if its end had been spoken, since a made clip has no end to miss; four lines in a row are a set, judged as the
screen of a probe. The codec is left out.

The recogniser is pocketsphinx with a language model of all the sentences' words and pairs of words, half of it for any
sequence of them, so it does not know which sentence it hears. It is asked about clips that nothing else rejects:
whether a clip is detected does not depend on the others. The voice is told by the speaker encoder of the demo
checkpoint, a miniature that was trained for the demo: a real one's figures are its own. No target is asserted here.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import binomtest

from benchmarks.corruption_kinds import KINDS, VOICES, Kind, Line, check_synthesisers, lines_of, speak
from benchmarks.machine import describe_machine
from spaces.command import told_plainly
from spaces.verdict import SpokenLine, Verdict
from trainable.audio import SAMPLE_RATE, resample
from trainable.probe.calibration import unit
from trainable.probe.flags import flags_of
from trainable.probe.judge import conclude
from trainable.probe.likeness import hear_voice, long_pieces
from trainable.probe.measures import OwnMeasures, measure, own_measures
from trainable.probe.tempo import Tempo, fit_tempo
from trainable.probe.words import character_error, words
from trainable.qwen3_tts.voices import SpeakerEncoder

ROOT = Path(__file__).parent.parent
CALIBRATION, SET_LINES, VERDICT_LINES = 20, 4, 20
DRAWS = 25
"""Verdicts of twenty clean lines, per voice; they share lines."""
MOST_FALSE_ALARMS, MOST_FALSE_VERDICTS, MOST_SECONDS = 0.02, 0.01, 0.5


class Ears:
    """Pocketsphinx with a language model of pairs of words: any sequence of the sentences' words may be heard."""

    PAIRS = 0.5
    """Share of the probability that goes to words which follow each other in a sentence."""
    RATE = 16_000

    def __init__(self, sentences: Sequence[str]) -> None:
        from pocketsphinx import Decoder, get_model_path

        with TemporaryDirectory() as folder:
            model = Path(folder) / "sentences.arpa"
            model.write_text(self._model(sentences), encoding="utf-8")
            self._decoder = Decoder(
                hmm=get_model_path("en-us/en-us"),
                dict=get_model_path("en-us/cmudict-en-us.dict"),
                lm=str(model),
                samprate=self.RATE,
                cmn="batch",
                # A second pass and more hypotheses take half as long again for few words more.
                fwdflat=False,
                maxhmmpf=3000,
                loglevel="FATAL",
            )

    def hear(self, wave: np.ndarray) -> str:
        """As `Recogniser.hear`."""
        peak = float(np.abs(wave).max(initial=0.0))
        if peak < 1e-4:
            return ""
        speech = np.pad(resample((wave * (0.6 / peak)).astype(np.float32), SAMPLE_RATE, self.RATE), self.RATE // 4)
        speech = speech + np.random.default_rng(0).normal(0, 1e-4, speech.size)
        self._decoder.start_utt()
        self._decoder.process_raw((np.clip(speech, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        self._decoder.end_utt()
        heard = self._decoder.hyp()
        return words(heard.hypstr) if heard else ""

    @classmethod
    def _model(cls, sentences: Sequence[str]) -> str:
        """In the ARPA format, whose numbers are logarithms to base ten."""
        said = [["<s>", *words(sentence).split(), "</s>"] for sentence in sentences]
        first = Counter(word for sentence in said for word in sentence[:-1])
        pairs = Counter(pair for sentence in said for pair in pairwise(sentence))
        single = sorted({word for sentence in said for word in sentence})
        any_word, other = np.log10(1 / (len(single) - 1)), np.log10(1 - cls.PAIRS)
        lines = [f"\\data\\\nngram 1={len(single)}\nngram 2={len(pairs)}\n\n\\1-grams:"]
        lines += [f"{-99 if word == '<s>' else any_word:.4f} {word} {other:.4f}" for word in single]
        lines += ["\n\\2-grams:"]
        for (one, two), count in sorted(pairs.items()):
            share = cls.PAIRS * count / first[one] + (1 - cls.PAIRS) * 10**any_word
            lines.append(f"{np.log10(share):.4f} {one} {two}")
        return "\n".join([*lines, "\n\\end\\", ""])


@dataclass(frozen=True)
class Judge:
    """A judge that knows one voice."""

    tempo: Tempo
    own: OwnMeasures
    reference: np.ndarray
    """[dimensions] mean embedding of the calibration clips, unit length."""
    least: float | None
    encoder: SpeakerEncoder
    ears: Ears | None

    @classmethod
    def of(cls, texts: Sequence[str], waves: Sequence[np.ndarray], encoder: SpeakerEncoder, ears: Ears | None) -> Judge:
        tempo = fit_tempo(texts, [wave.size / SAMPLE_RATE for wave in waves])
        measured = [
            measure(wave, text, ears.hear(wave) if ears else None, True, tempo.expected_seconds(text))
            for wave, text in zip(waves, texts, strict=True)
        ]
        reference = unit(np.mean([unit(encoder.embed(wave).numpy()) for wave in waves], axis=0))
        own = [float(unit(encoder.embed(piece).numpy()) @ reference) for piece in long_pieces(waves)]
        return cls(tempo, own_measures(measured), reference, min(own, default=None), encoder, ears)

    def listen(self, wave: np.ndarray, text: str) -> SpokenLine:
        """wave: [samples] float32 at 24 kHz. Scores are left at 0: they decide nothing."""
        measured = measure(wave, text, None, True, self.tempo.expected_seconds(text))
        flags = flags_of(measured, self.own)
        if self.ears and not any(flag.rejects for flag in flags):
            heard = self.ears.hear(wave)
            measured = replace(measured, heard=heard, character_error=character_error(text, heard))
            flags = flags_of(measured, self.own)
        shared = {name: getattr(measured, name) for name in SpokenLine.model_fields if hasattr(measured, name)}
        return SpokenLine(
            **shared,
            audio="",
            flags=flags,
            frames=0,
            frame_cap=0,
            longest_pause=measured.pauses.longest_inner,
            tail=measured.pauses.tail,
            similarity=None,
            spectral_distance=None,
            score=0.0,
        )

    def verdict(self, lines: Sequence[SpokenLine], waves: Sequence[np.ndarray]) -> Verdict:
        voice = hear_voice(
            waves, lambda wave: float(unit(self.encoder.embed(wave).numpy()) @ self.reference), self.least, None
        )
        return conclude(lines, VERDICT_LINES, voice)


@dataclass(frozen=True)
class Heard:
    """One kind over all voices."""

    lines: list[SpokenLine]
    sets: list[Verdict]

    @property
    def failed(self) -> int:
        return sum(line.failed for line in self.lines)

    @property
    def rejected(self) -> int:
        return sum(not verdict.accepted for verdict in self.sets)

    @property
    def reasons(self) -> str:
        """Shares of clips with a flag, and of sets with a reason that is the set's alone."""
        flags = Counter(flag.value for line in self.lines for flag in line.flags)
        together = Counter(
            "another voice" if reason.startswith("another") else "median tempo"
            for verdict in self.sets
            for reason in verdict.reasons
            if "lines failed" not in reason
        )
        told = [f"{flag} {count / len(self.lines):.0%}" for flag, count in flags.most_common(3)]
        return ", ".join(told + [f"sets: {name} {count / len(self.sets):.0%}" for name, count in together.items()])


def bench(
    voices: Annotated[int, typer.Option(min=4, max=len(VOICES))] = len(VOICES),
    sentences: Annotated[int, typer.Option(min=20, max=40, help="of each voice and kind; clean: all")] = 20,
    deaf: Annotated[bool, typer.Option("--deaf", help="without a recogniser: far faster, and blind to words")] = False,
) -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    with told_plainly():
        check_synthesisers()
        texts = (Path(__file__).parent / "sentences.txt").read_text(encoding="utf-8").splitlines()
        with TemporaryDirectory() as folder:
            clean = {
                voice: [
                    speak(voice, text, np.random.default_rng([voice, place]), Path(folder))
                    for place, text in enumerate(texts)
                ]
                for voice in range(voices)
            }
            made = {voice: lines_of(voice, texts, CALIBRATION, clean, Path(folder)) for voice in range(voices)}
    encoder = SpeakerEncoder(ROOT / "demo" / "checkpoint", torch.device("cpu"))
    ears = None if deaf else Ears(texts)
    known, console = texts[:CALIBRATION], Console()
    judges = {voice: Judge.of(known, clean[voice][:CALIBRATION], encoder, ears) for voice in range(voices)}
    whole = {voice: [judges[voice].listen(line.wave, line.text) for line in made[voice]] for voice in range(voices)}
    table = Table("kind", "clips", "detected per clip", "sets", "per set of 4", "raised", "target", "")
    for place, (name, kind) in enumerate(track(KINDS.items(), "judging", console=Console(stderr=True), transient=True)):
        heard = _judged(kind, place, judges, {voice: lines[:sentences] for voice, lines in made.items()})
        table.add_row(name, *_row(kind, heard))
    title = "without a recogniser" if deaf else "pocketsphinx listens"
    table.title = f"{voices} voices, {sentences} sentences of each kind, {title}"
    console.print(table)
    console.print(_false_alarms(judges, made, whole), _seconds(judges[0], made[0]), describe_machine(), sep="\n")


def _judged(kind: Kind, place: int, judges: dict[int, Judge], made: dict[int, list[Line]]) -> Heard:
    heard, sets = [], []
    for voice, lines in made.items():
        waves = [
            np.asarray(kind.spoil(line, np.random.default_rng([place, voice, number])), np.float32)
            for number, line in enumerate(lines)
        ]
        spoken = [judges[voice].listen(wave, line.text) for wave, line in zip(waves, lines, strict=True)]
        heard += spoken
        if kind.per_set:
            for first in range(0, len(lines) - SET_LINES + 1, SET_LINES):
                group = slice(first, first + SET_LINES)
                sets.append(judges[voice].verdict(spoken[group], waves[group]))
    return Heard(heard, sets)


def _row(kind: Kind, heard: Heard) -> tuple[str, ...]:
    clips, groups = len(heard.lines), len(heard.sets)
    found = heard.rejected / groups if kind.per_set else heard.failed / clips
    target, met = ("reported", "") if kind.target is None else (f"≥ {kind.target:.0%}", _met(found >= kind.target))
    of_sets = (str(groups), _share(heard.rejected, groups)) if groups else ("", "")
    return str(clips), _share(heard.failed, clips), *of_sets, heard.reasons, target, met


def _false_alarms(judges: dict[int, Judge], made: dict[int, list[Line]], whole: dict[int, list[SpokenLine]]) -> Table:
    """Of clean lines that nothing was calibrated on."""
    table = Table("false alarms", "of", "share", "raised", "target", "")
    every = Heard([line for lines in whole.values() for line in lines], [])
    alarms, clips = every.failed, len(every.lines)
    met = _met(alarms <= MOST_FALSE_ALARMS * clips)
    table.add_row("per clip", str(clips), _share(alarms, clips), every.reasons, f"≤ {MOST_FALSE_ALARMS:.0%}", met)
    for voice, lines in whole.items():
        one = Heard(lines, [])
        table.add_row(" ".join(VOICES[voice]), str(len(lines)), _share(one.failed, len(lines)), one.reasons)
    generator, verdicts = np.random.default_rng(0), []
    for voice, lines in whole.items():
        for _ in range(DRAWS):
            drawn = generator.choice(len(lines), VERDICT_LINES, replace=False)
            waves = [made[voice][place].wave for place in drawn]
            verdicts.append(judges[voice].verdict([lines[place] for place in drawn], waves))
    wrong = Heard(every.lines, verdicts)
    share, limit = wrong.rejected / len(verdicts), f"≤ {MOST_FALSE_VERDICTS:.0%}"
    met = _met(share <= MOST_FALSE_VERDICTS)
    reasons = wrong.reasons.partition("sets: ")[2]
    table.add_row("per 20 lines, resampled", str(len(verdicts)), f"{share:.1%}", reasons, limit, met)
    return table


def _seconds(judge: Judge, lines: list[Line]) -> str:
    """The least of five, so that other programs on the machine count little."""
    deaf, text = replace(judge, ears=None), " ".join(line.text for line in lines[:4])
    wave = np.concatenate([line.wave for line in lines])[: 10 * SAMPLE_RATE]
    seconds = float("inf")
    for _ in range(5):
        started = time.process_time()
        deaf.verdict([deaf.listen(wave, text)], [wave])
        seconds = min(seconds, time.process_time() - started)
    met = _met(seconds < MOST_SECONDS)
    return f"10 s of audio without a recogniser: {seconds:.2f} s of one core, target < {MOST_SECONDS} s: {met}"


def _share(count: int, of: int) -> str:
    """With the interval of Wilson (1927) at 95 %."""
    interval = binomtest(count, of).proportion_ci(0.95, method="wilson")
    return f"{count / of:.1%} ({interval.low:.1%} – {interval.high:.1%})"


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"


if __name__ == "__main__":
    typer.run(bench)
