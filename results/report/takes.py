"""The nouns of a listening page: takes of lines, hearings of trials, and sets of lines side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from results.analysis.pairs import comparable_verdict
from results.analysis.table import TrialRow
from results.report.media import PageMedia
from results.report.word_diff import DiffPiece, word_diff
from results.run.ledger import History
from spaces.records.paired import with_occurrence
from spaces.records.trial import BASE
from spaces.records.verdict import SpokenLine, Verdict

OnDone = Callable[[str], None]
VOICE = "recording"
"""What the voice's own recording of a line is called among those who say it."""


@dataclass(frozen=True)
class SpokenTake:
    """One line as one voice said it."""

    voice: str
    text: str
    address: str | None
    """Of the recording, relative to the page; None where it is gone."""
    picture: str | None = None
    heard: tuple[DiffPiece, ...] | None = None
    """None where no recogniser listened."""
    flags: tuple[str, ...] = ()
    failed: bool = False
    score: float | None = None
    parts: tuple[tuple[str, float], ...] = ()
    seconds: float | None = None
    decides: bool = True


@dataclass(frozen=True)
class ProbeSession:
    """One time that a trial was listened to."""

    title: str
    verdict: Verdict
    takes: tuple[SpokenTake, ...]


@dataclass(frozen=True)
class TrialSection:
    """A trial, or the base model, with everything that was heard of it."""

    row: TrialRow
    hearings: tuple[ProbeSession, ...]
    instructed: tuple[tuple[str, SpokenTake, SpokenTake, str], ...]
    """Text, calm, excited, and how these differ."""


@dataclass(frozen=True)
class LineSet:
    """Lines that several voices have said, side by side."""

    name: str
    title: str
    voices: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[SpokenTake | None, ...]], ...]
    """Text, kind, and the takes in the order of the voices."""


def spoken_take(trial: str, line: SpokenLine, media: PageMedia, with_picture: bool = False) -> SpokenTake:
    address = media.recording(trial, line.audio)
    return SpokenTake(
        voice=trial,
        text=line.text,
        address=address,
        picture=media.picture(address) if with_picture else None,
        heard=tuple(word_diff(line.text, line.heard)) if line.heard is not None else None,
        flags=tuple(flag.value for flag in line.flags),
        failed=line.failed,
        score=line.score,
        parts=tuple((name, value) for name, value in line.parts.model_dump().items() if value is not None)
        if line.parts
        else (),
        seconds=line.seconds,
        decides=line.decides,
    )


def section(row: TrialRow, history: History, media: PageMedia) -> TrialSection:
    """All that was heard of a trial, without pictures."""
    outcome = history.base if row.trial == BASE else history.outcomes.get(row.trial)
    final = history.confirmations.get(row.trial)
    heard: list[tuple[str, Verdict | None]] = []
    if outcome:
        before = "at the checkpoint that does not count"
        heard = [("on the lines of every trial", outcome.verdict), (before, outcome.other_verdict)]
    if final:
        heard += [(f"at {verdict.strength:g} of its strength", verdict) for verdict in final.weaker]
        heard.append(("on the lines of finalists", final.confirmed))
    hearings = tuple(
        ProbeSession(title, verdict, tuple(spoken_take(row.trial, line, media) for line in verdict.lines))
        for title, verdict in heard
        if verdict is not None
    )
    instructed = []
    for pair in final.instructed if final else ():
        calm, excited = (
            SpokenTake(row.trial, pair.text, media.recording(row.trial, each.audio), seconds=each.seconds)
            for each in (pair.calm, pair.excited)
        )
        rise = f"{pair.pitch_rise:+.1f} semitones, " if pair.pitch_rise is not None else ""
        instructed.append((pair.text, calm, excited, f"{rise}{pair.level_rise:+.1f} dB, {pair.speed_up:.2f}× as fast"))
    return TrialSection(row, hearings, tuple(instructed))


def line_sets(
    history: History, featured: Sequence[str], clips: Mapping[str, Path], media: PageMedia, on_take: OnDone
) -> list[LineSet]:
    """The base model and the featured trials over the lines of every trial and, where they were heard there, over
    those of finalists; the voice's own recording first, where one says the same text."""
    sets = []
    for name, title, confirmation in (("trial", "Lines of every trial", False), ("final", "Lines of finalists", True)):
        verdicts = {trial: comparable_verdict(history, trial, confirmation) for trial in (BASE, *featured)}
        said = {trial: dict(with_occurrence(verdict.lines)) for trial, verdict in verdicts.items() if verdict}
        keys = list(dict.fromkeys(key for lines in said.values() for key in lines))
        if not any(trial != BASE for trial in said):
            continue
        recorded = any(text in clips for text, _ in keys)
        voices = (*([VOICE] if recorded else []), *said)
        rows = []
        for text, occurrence in keys:
            takes: list[SpokenTake | None] = [_recorded(text, clips, media)] if recorded else []
            for trial, lines in said.items():
                line = lines.get((text, occurrence))
                takes.append(spoken_take(trial, line, media, with_picture=True) if line else None)
                on_take(trial)
            kind = next(lines[text, occurrence].kind for lines in said.values() if (text, occurrence) in lines)
            rows.append((text, kind.value, tuple(takes)))
        sets.append(LineSet(name, title, voices, tuple(rows)))
    return sets


def _recorded(text: str, clips: Mapping[str, Path], media: PageMedia) -> SpokenTake | None:
    """The voice's own recording of a text."""
    address = media.of_the_voice(clips.get(text), f"clip_{list(clips).index(text)}") if text in clips else None
    return SpokenTake(VOICE, text, address, media.picture(address)) if address else None
