"""Speaking lines and listening to them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from spaces.records.verdict import ProbeLine, SpokenLine, Verdict
from trainable.family.protocol import SpeechPrompt, Utterance
from trainable.probe.criteria.judge import SCREEN_LINES, conclude, fails_end, fails_screen, surely_fails
from trainable.probe.session.listener import Listener
from trainable.speech.audio import write_audio

Speakers = TypeVar("Speakers", bound=Hashable)
Speak = Callable[[Sequence[Speakers], Sequence[SpeechPrompt]], Mapping[Speakers, Sequence[Utterance]]]
"""Lets every one of these speakers say all the cues."""

EARLY_LINES = 20
"""After so many lines of a confirmation it may be clear already that too many fail."""


@dataclass(frozen=True)
class ProbeScript:
    """What is spoken, the same for everybody."""

    lines: tuple[ProbeLine, ...]
    seed: int
    """Line i is sampled from `seed + i`, so that verdicts compare line by line."""
    confirms: bool = False
    """Whether it is asked if failures are surely too many, instead of screening."""


@dataclass(frozen=True)
class ProbeSubject:
    """Who is listened to."""

    folder: Path
    """The trial's."""
    recordings: str = "probe"
    """Folder in it that gets a `line_00.wav` for every line."""
    end_probability: float | None = None
    """See `Verdict.end_probability`."""
    strength: float = 1.0
    """See `Verdict.strength`."""


@dataclass
class _Heard:
    lines: list[SpokenLine] = field(default_factory=list)
    waves: list[np.ndarray] = field(default_factory=list)


def probe(
    speak: Speak[Speakers],
    listener: Listener,
    script: ProbeScript,
    candidates: Mapping[Speakers, ProbeSubject],
    whole: bool = False,
) -> dict[Speakers, Verdict]:
    """The cheapest first: who would hardly ever end says one line, for the record; the others say four, and those whom
    the four do not reject all the rest; `whole`, everybody everything. A confirmation stops after twenty likewise.
    """
    base, heard = listener.calibration.base_heard, {speaker: _Heard() for speaker in candidates}
    endless = [name for name, who in candidates.items() if not whole and fails_end(who.end_probability, base)]
    going = [name for name in candidates if name not in endless]
    first = EARLY_LINES if script.confirms else SCREEN_LINES
    is_rejected = surely_fails if script.confirms else fails_screen

    _listen(speak, listener, script, {name: candidates[name] for name in endless}, heard, 0, 1)
    _listen(speak, listener, script, {name: candidates[name] for name in going}, heard, 0, first)
    going = [name for name in going if whole or not is_rejected(heard[name].lines)]
    _listen(speak, listener, script, {name: candidates[name] for name in going}, heard, first, len(script.lines))
    planned = sum(line.decides for line in script.lines)
    return {
        name: conclude(
            heard[name].lines,
            planned,
            listener.hear_voice(heard[name].waves),
            end_probability=who.end_probability,
            base=base,
            strength=who.strength,
            judge=listener.fingerprint,
            confirms=script.confirms,
        )
        for name, who in candidates.items()
    }


def _listen(
    speak: Speak[Speakers],
    listener: Listener,
    script: ProbeScript,
    candidates: Mapping[Speakers, ProbeSubject],
    heard: Mapping[Speakers, _Heard],
    first: int,
    last: int,
) -> None:
    """Lets these candidates say some of the lines."""
    lines = script.lines[first:last]
    if not candidates or not lines:
        return
    numbers = range(first, first + len(lines))
    cues = [
        SpeechPrompt(line.text, script.seed + number, listener.frame_cap(line.text))
        for number, line in zip(numbers, lines, strict=True)
    ]
    said = speak(list(candidates), cues)
    for name, who in candidates.items():
        recordings = [f"{who.recordings}/line_{number:02d}.wav" for number in numbers]
        for recording, utterance in zip(recordings, said[name], strict=True):
            write_audio(who.folder / recording, utterance.wave)
        heard[name].lines += listener.listen(lines, said[name], recordings)
        heard[name].waves += [utterance.wave for utterance in said[name]]
