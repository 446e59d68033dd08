"""Detection rates and false alarms of the judge, on synthetic speech with many kinds of corruption.

    python -m benchmarks.corrupted_speech [--voices 4] [--sentences 20] [--deaf] [--unseen]

Needs espeak-ng and flite. Every voice is calibrated on twenty sentences and judged on others: eight voices on about
forty clean ones, the first four on twenty of each kind of corruption. The judge's thresholds were set on these voices
and sentences, so the figures are optimistic; `--unseen` uses others, on which no threshold was set. A clip is judged as
the probe judges a line, with its own text and as if the model had ended it; four lines in a row are a set, judged like
the screen of a probe. The codec is left out.

Each clip is judged by its sound only, and then by its words as well. The recogniser is pocketsphinx with all sentences
as its language model. It runs only on clips that pass by their sound: each clip is detected independently. The voice is
identified by the speaker encoder of the demo checkpoint, a miniature, so figures of a real encoder will differ. Targets
are printed, not asserted.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.corruption_kinds import KINDS, Kind
from benchmarks.machine import describe_machine
from benchmarks.synthetic_voices import CALIBRATION, Corpus, Line, check_synthesisers, lines_of, seen, speak, unseen
from benchmarks.voice_judge import DEMO, VERDICT_LINES, Judge, verdict
from spaces.cli import exit_on_input_error
from spaces.records.interval import wilson
from spaces.records.verdict import SpokenLine, Verdict
from trainable.probe.criteria.judge import SCREEN_LINES
from trainable.qwen3_tts.data.speaker_embeddings import QwenSpeakerEncoder
from trainable.speech.asr.pocket_sphinx import PocketSphinx
from trainable.speech.audio import SAMPLE_RATE

DRAWS = 25
"""Verdicts on twenty clean lines per voice; they share lines."""
MAX_FALSE_ALARMS, MAX_FALSE_VERDICTS, MAX_SECONDS = 0.02, 0.01, 0.5


@dataclass
class SharedData:
    """What the judging processes inherit when they are forked."""

    corpus: Corpus
    clean: list[list[np.ndarray]]
    """By voice and sentence, [samples] float32 at 24 kHz each."""
    made: list[list[Line]]
    judges: list[Judge]


@dataclass(frozen=True)
class JudgedSpeech:
    """Lines, and sets of four of them, judged by sound only or with words."""

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
        """Shares of clips with a flag, and of sets with a reason that only sets have."""
        flags = Counter(flag for line in self.lines for flag in line.flags)
        together = Counter(
            "another voice" if reason.startswith("another") else "median tempo"
            for verdict in self.sets
            for reason in verdict.reasons
            if "lines failed" not in reason
        )
        flag_shares = [f"{flag} {count / len(self.lines):.0%}" for flag, count in flags.most_common(3)]
        return ", ".join(
            flag_shares + [f"sets: {name} {count / len(self.sets):.0%}" for name, count in together.items()]
        )

    @classmethod
    def joined(cls, parts: Sequence[JudgedSpeech]) -> JudgedSpeech:
        return cls([line for part in parts for line in part.lines], [each for part in parts for each in part.sets])


SHARED = SharedData(Corpus((), ()), [], [], [])


def bench(
    voices: Annotated[int, typer.Option(min=4, max=8, help="number of voices with corrupted speech")] = 4,
    sentences: Annotated[int, typer.Option(min=20, max=38, help="of each voice and kind")] = 20,
    deaf: Annotated[
        bool, typer.Option("--deaf", help="without a recogniser: faster, but words are not judged")
    ] = False,
    is_unseen: Annotated[bool, typer.Option("--unseen", help="voices and lines that no threshold was set on")] = False,
) -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    with exit_on_input_error():
        check_synthesisers()
        started = time.perf_counter()
        SHARED.corpus = unseen() if is_unseen else seen()
        all_voices = [(voice,) for voice in range(len(SHARED.corpus.voices))]
        SHARED.clean = _parallel(_spoken, all_voices, "speaking")
        SHARED.made = _parallel(_made, [(voice, sentences) for voice in range(voices)], "speaking gibberish")
    SHARED.judges = _parallel(_judge, [(*each, deaf) for each in all_voices], "calibrating")
    recogniser = None if deaf else PocketSphinx(SHARED.corpus.sentences)
    SHARED.judges = [replace(judge, recogniser=recogniser) for judge in SHARED.judges]
    whole = _parallel(_clean_judged, all_voices, "clean speech")
    tasks = list(product(KINDS, range(voices)))
    judged = dict(zip(tasks, _parallel(_judged, tasks, "judging"), strict=True))
    title = f"{voices} voices, {sentences} sentences of each kind; a clip, or where given a set of 4 lines, is detected"
    table = Table("kind", "of", "by sound", "with words", "raised", "target", "", title=title)
    for name, kind in KINDS.items():
        parts = [judged[name, voice] for voice in range(voices)]
        table.add_row(name, *_row(kind, *(JudgedSpeech.joined([part[mode] for part in parts]) for mode in (0, 1))))
    lines = [line for voice in SHARED.made for line in voice]
    console = Console()
    console.print(table, _false_alarms(whole), _seconds(SHARED.judges[0], lines), describe_machine(), sep="\n")
    console.print(f"{(time.perf_counter() - started) / 60:.0f} min in all")


def _parallel(work: Callable[..., Any], tasks: Sequence[tuple], what: str) -> list:
    """The results of all tasks, with a process per core."""
    with multiprocessing.get_context("fork").Pool() as pool:
        console = Console(stderr=True)
        done = pool.imap(_Called(work), tasks)
        return list(track(done, what, total=len(tasks), console=console, transient=True))


@dataclass(frozen=True)
class _Called:
    """Calls a function with a tuple of arguments; can be pickled."""

    work: Callable[..., Any]

    def __call__(self, arguments: tuple) -> Any:
        torch.set_num_threads(1)
        return self.work(*arguments)


def _spoken(voice: int) -> list[np.ndarray]:
    with TemporaryDirectory() as folder:
        return [
            speak(SHARED.corpus.voices[voice], text, np.random.default_rng([voice, place]), Path(folder))
            for place, text in enumerate(SHARED.corpus.sentences)
        ]


def _made(voice: int, sentences: int) -> list[Line]:
    with TemporaryDirectory() as folder:
        chosen = range(CALIBRATION, CALIBRATION + sentences)
        return lines_of(SHARED.corpus, voice, chosen, SHARED.clean, Path(folder))


def _judge(voice: int, deaf: bool) -> Judge:
    """A recogniser cannot be pickled, so the judge is returned without."""
    encoder = QwenSpeakerEncoder(DEMO, torch.device("cpu"))
    recogniser = None if deaf else PocketSphinx(SHARED.corpus.sentences)
    judge = Judge.of(SHARED.corpus.sentences[:CALIBRATION], SHARED.clean[voice][:CALIBRATION], encoder, recogniser)
    return replace(judge, recogniser=None)


def _clean_judged(voice: int) -> tuple[JudgedSpeech, JudgedSpeech]:
    """All sentences not used in calibration, and verdicts on twenty of them at a time."""
    judge, waves = SHARED.judges[voice], SHARED.clean[voice][CALIBRATION:]
    modes = list(zip(*map(judge.listen, waves, SHARED.corpus.sentences[CALIBRATION:]), strict=True))
    generator = np.random.default_rng(voice)
    draws = [generator.choice(len(waves), VERDICT_LINES, replace=False) for _ in range(DRAWS)]
    voices = [judge.match_speaker([waves[place] for place in drawn]) for drawn in draws]
    return tuple(
        JudgedSpeech(
            list(lines),
            [verdict([lines[place] for place in drawn], voice) for drawn, voice in zip(draws, voices, strict=True)],
        )
        for lines in modes
    )


def _judged(name: str, voice: int) -> tuple[JudgedSpeech, JudgedSpeech]:
    kind, judge, lines = KINDS[name], SHARED.judges[voice], SHARED.made[voice]
    seed = list(KINDS).index(name)
    waves = [
        np.asarray(kind.spoil(line, np.random.default_rng([seed, voice, number])), np.float32)
        for number, line in enumerate(lines)
    ]
    texts = [line.text for line in lines]
    if not kind.per_set:
        return tuple(JudgedSpeech(list(each), []) for each in zip(*map(judge.listen, waves, texts), strict=True))
    deaf, sets = replace(judge, recogniser=None), ([], [])
    for first in range(0, len(lines) - SCREEN_LINES + 1, SCREEN_LINES):
        group = slice(first, first + SCREEN_LINES)
        heard = [deaf.listen(*each)[0] for each in zip(waves[group], texts[group], strict=True)]
        match = judge.match_speaker(waves[group])
        concluded = verdict(heard, match)
        sets[0].append((heard, concluded))
        # As with clips, the recogniser is not run on a set that fails by its sound.
        if judge.recogniser and concluded.accepted:
            heard = [judge.listen(*each)[1] for each in zip(waves[group], texts[group], strict=True)]
            concluded = verdict(heard, match)
        sets[1].append((heard, concluded))
    return tuple(
        JudgedSpeech(list(chain.from_iterable(heard for heard, _ in mode)), [each for _, each in mode]) for mode in sets
    )


def _row(kind: Kind, by_sound: JudgedSpeech, with_words: JudgedSpeech) -> tuple[str, ...]:
    counts = [
        (mode.rejected, len(mode.sets)) if kind.per_set else (mode.failed, len(mode.lines))
        for mode in (by_sound, with_words)
    ]
    (_, of), (found, _) = counts
    target, met = ("reported", "") if kind.target is None else (f"≥ {kind.target:.0%}", _met(found >= kind.target * of))
    return (
        f"{of} sets" if kind.per_set else f"{of}",
        *(_share(*each) for each in counts),
        with_words.reasons,
        target,
        met,
    )


def _false_alarms(whole: Sequence[tuple[JudgedSpeech, JudgedSpeech]]) -> Table:
    """On clean lines not used in calibration."""
    table = Table("false alarms", "of", "by sound", "with words", "raised", "target", "")
    every = [JudgedSpeech.joined([parts[mode] for parts in whole]) for mode in (0, 1)]
    clips, verdicts = len(every[1].lines), len(every[1].sets)
    met = _met(every[1].failed <= MAX_FALSE_ALARMS * clips)
    shares = [_share(mode.failed, clips) for mode in every]
    table.add_row(
        "per clip", str(clips), *shares, every[1].reasons.partition("sets: ")[0], f"≤ {MAX_FALSE_ALARMS:.0%}", met
    )
    for voice, modes in enumerate(whole):
        shares = [_share(mode.failed, len(mode.lines)) for mode in modes]
        table.add_row(str(SHARED.corpus.voices[voice]), str(len(modes[1].lines)), *shares, modes[1].reasons)
    met = _met(every[1].rejected <= MAX_FALSE_VERDICTS * verdicts)
    shares = [f"{mode.rejected / verdicts:.1%}" for mode in every]
    reasons = every[1].reasons.partition("sets: ")[2]
    table.add_row("per 20 lines, resampled", str(verdicts), *shares, reasons, f"≤ {MAX_FALSE_VERDICTS:.0%}", met)
    return table


def _seconds(judge: Judge, lines: Sequence[Line]) -> str:
    """The least of five runs, so that other programs on the machine matter little."""
    deaf, text = replace(judge, recogniser=None), " ".join(line.text for line in lines[:4])
    wave = np.concatenate([line.wave for line in lines])[: 10 * SAMPLE_RATE]
    seconds = float("inf")
    for _ in range(5):
        started = time.process_time()
        verdict([deaf.listen(wave, text)[0]], deaf.match_speaker([wave]))
        seconds = min(seconds, time.process_time() - started)
    met = _met(seconds < MAX_SECONDS)
    return f"10 s of audio without a recogniser: {seconds:.2f} s of one core, target < {MAX_SECONDS} s: {met}"


def _share(count: int, of: int) -> str:
    """With the interval of Wilson (1927) at 95 %."""
    return f"{count / of:.1%} ({wilson(count, of)})"


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"


if __name__ == "__main__":
    typer.run(bench)
