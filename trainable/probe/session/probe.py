"""Runs a probe: the subjects speak the lines of a script, a listener judges them, verdicts come out."""

from collections.abc import Callable, Hashable, Mapping, Sequence
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
from trainable.probe.session.listener import Listener
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


@dataclass
class _Spoken:
    lines: list[SpokenLine] = field(default_factory=list)
    waves: list[np.ndarray] = field(default_factory=list)


def probe(
    speak: Speak[SubjectId],
    listener: Listener,
    script: ProbeScript,
    subjects: Mapping[SubjectId, ProbeSubject],
    whole: bool = False,
) -> dict[SubjectId, Verdict]:
    """Probes all subjects, each with as few lines as its verdict needs.

    A subject that rarely ends speaks one line, for the record. The others speak the first four, and the rest unless
    these reject it; a confirmation stops after twenty likewise. With `whole`, all subjects speak all lines.
    """
    base, spoken = listener.calibration.base_heard, {name: _Spoken() for name in subjects}
    endless = {name: each for name, each in subjects.items() if not whole and rarely_ends(each.end_probability, base)}
    going = {name: each for name, each in subjects.items() if name not in endless}
    first = EARLY_STOP_LINES if script.confirms else SCREEN_LINES
    is_rejected = exceeds_failure_rate if script.confirms else fails_screen

    _speak_and_judge(speak, listener, script, endless, spoken, 0, 1)
    _speak_and_judge(speak, listener, script, going, spoken, 0, first)
    going = {name: each for name, each in going.items() if whole or not is_rejected(spoken[name].lines)}
    _speak_and_judge(speak, listener, script, going, spoken, first, len(script.lines))
    planned = sum(line.decides for line in script.lines)
    return {
        name: make_verdict(
            spoken[name].lines,
            planned,
            listener.match_speaker(spoken[name].waves),
            end_probability=subject.end_probability,
            base=base,
            strength=subject.strength,
            judge=listener.fingerprint,
            confirms=script.confirms,
        )
        for name, subject in subjects.items()
    }


def _speak_and_judge(
    speak: Speak[SubjectId],
    listener: Listener,
    script: ProbeScript,
    subjects: Mapping[SubjectId, ProbeSubject],
    spoken: Mapping[SubjectId, _Spoken],
    first: int,
    last: int,
) -> None:
    """Lets these subjects speak the lines from `first` up to `last`, and adds them to `spoken`."""
    lines = script.lines[first:last]
    if not subjects or not lines:
        return
    numbers = range(first, first + len(lines))
    prompts = [
        SpeechPrompt(line.text, script.seed + number, listener.frame_cap(line.text))
        for number, line in zip(numbers, lines, strict=True)
    ]
    utterances = speak(list(subjects), prompts)
    for name, subject in subjects.items():
        recordings = [f"{subject.recordings}/line_{number:02d}.wav" for number in numbers]
        for recording, utterance in zip(recordings, utterances[name], strict=True):
            write_audio(subject.folder / recording, utterance.wave)
        spoken[name].lines += listener.judge_lines(lines, utterances[name], recordings)
        spoken[name].waves += [utterance.wave for utterance in utterances[name]]
