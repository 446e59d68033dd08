"""Runs a probe: the subjects speak the lines of a script, a listener judges them, verdicts come out."""

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from spaces.records.verdict import ProbeLine, SpokenLine, Verdict
from trainable.family.protocol import SpeechPrompt, Utterance
from trainable.probe.criteria.judge import (
    EARLY_STOP_LINES,
    SCREEN_LINES,
    exceeds_failure_rate,
    fails_screen,
    make_verdict,
    rarely_ends,
)
from trainable.probe.session.listener import LineSound, Listener, Transcripts
from trainable.speech.audio import write_audio

SubjectId = TypeVar("SubjectId", bound=Hashable)
Speak = Callable[[Sequence[SubjectId], Sequence[SpeechPrompt]], Mapping[SubjectId, Sequence[Utterance]]]
"""Lets each of these subjects speak all the prompts."""


@dataclass(frozen=True)
class ProbeScript:
    """What is spoken, the same for all subjects."""

    lines: tuple[ProbeLine, ...]
    seed: int
    """Line i is sampled with `seed + i`, so that verdicts compare line by line."""
    confirms: bool = False
    """Whether the probe tests the failure rate instead of screening."""


@dataclass(frozen=True)
class ProbeSubject:
    """A model that is probed."""

    folder: Path
    """The trial's."""
    recordings: str = "probe"
    """Folder in it that gets a `line_00.wav` for every line."""
    end_probability: float | None = None
    """See `Verdict.end_probability`."""
    strength: float = 1.0
    """See `Verdict.strength`."""


ProbeSteps = Generator[Sequence[Future], None, dict[SubjectId, Verdict]]
"""A probe under way. It yields the transcripts that it needs before it can go on, and returns the verdicts."""


@dataclass
class _Spoken:
    """What a subject has said: lines that are judged, and then lines whose words may be missing."""

    lines: list[SpokenLine] = field(default_factory=list)
    waves: list[np.ndarray] = field(default_factory=list)
    unjudged: list[tuple[list[LineSound], Transcripts]] = field(default_factory=list)


def probe(
    speak: Speak[SubjectId],
    listener: Listener,
    script: ProbeScript,
    subjects: Mapping[SubjectId, ProbeSubject],
    whole: bool = False,
) -> dict[SubjectId, Verdict]:
    """Probes all subjects, each with as few lines as its verdict needs; see `probe_steps`."""
    steps = probe_steps(speak, listener, script, subjects, whole)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def probe_steps(
    speak: Speak[SubjectId],
    listener: Listener,
    script: ProbeScript,
    subjects: Mapping[SubjectId, ProbeSubject],
    whole: bool = False,
) -> ProbeSteps[SubjectId]:
    """Probes all subjects in steps, between which the caller may do other work while words are transcribed.

    A subject that rarely ends speaks one line, for the record. The others speak the first four, and the rest unless
    these reject it; a confirmation stops after twenty likewise. With `whole`, all subjects speak all lines. A subject
    that the caller takes out of `subjects` between two steps speaks no more, and gets no verdict. When a step begins
    before the words are there, it waits for them.
    """
    base, spoken = listener.calibration.base_heard, {name: _Spoken() for name in subjects}
    endless = [] if whole else [name for name, each in subjects.items() if rarely_ends(each.end_probability, base)]
    going = [name for name in subjects if name not in endless]
    first = EARLY_STOP_LINES if script.confirms else SCREEN_LINES
    is_rejected = exceeds_failure_rate if script.confirms else fails_screen

    def speak_lines(names: Sequence[SubjectId], start: int, stop: int) -> None:
        _speak_lines(speak, listener, script, {name: subjects[name] for name in names}, spoken, start, stop)

    def missing_words() -> list[Future]:
        return [words for name in subjects for _, words in spoken[name].unjudged if words is not None]

    def judged(name: SubjectId) -> list[SpokenLine]:
        for sounds, words in spoken[name].unjudged:
            spoken[name].lines += listener.judge(sounds, words)
        spoken[name].unjudged.clear()
        return spoken[name].lines

    speak_lines(endless, 0, 1)
    speak_lines(going, 0, first)
    if not whole:
        yield missing_words()
        going = [name for name in going if name in subjects and not is_rejected(judged(name))]
    speak_lines(going, first, len(script.lines))
    matches = {name: listener.match_speaker(spoken[name].waves) for name in subjects}
    yield missing_words()
    planned = sum(line.decides for line in script.lines)
    return {
        name: make_verdict(
            judged(name),
            planned,
            matches[name],
            end_probability=subject.end_probability,
            base=base,
            strength=subject.strength,
            judge=listener.fingerprint,
            confirms=script.confirms,
        )
        for name, subject in subjects.items()
    }


def _speak_lines(
    speak: Speak[SubjectId],
    listener: Listener,
    script: ProbeScript,
    subjects: Mapping[SubjectId, ProbeSubject],
    spoken: Mapping[SubjectId, _Spoken],
    first: int,
    last: int,
) -> None:
    """Lets these subjects speak the lines from `first` up to `last`, records them, and adds them to `spoken`."""
    lines = script.lines[first:last]
    if not subjects or not lines:
        return
    numbers = range(first, first + len(lines))
    prompts = [
        SpeechPrompt(line.text, script.seed + number, listener.frame_cap(line.text))
        for number, line in zip(numbers, lines, strict=True)
    ]
    utterances = speak(list(subjects), prompts)
    transcripts = {name: listener.transcribe(utterances[name]) for name in subjects}
    for name, subject in subjects.items():
        recordings = [f"{subject.recordings}/line_{number:02d}.wav" for number in numbers]
        for recording, utterance in zip(recordings, utterances[name], strict=True):
            write_audio(subject.folder / recording, utterance.wave)
        sounds = listener.measure_sound(lines, utterances[name], recordings)
        spoken[name].unjudged.append((sounds, transcripts[name]))
        spoken[name].waves += [utterance.wave for utterance in utterances[name]]
