"""Data of a listening page: recordings of lines, probe sessions of trials, and lines side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from results.analysis.pairs import comparable_verdict
from results.analysis.table import TrialRow
from results.report.media import PageMedia
from results.report.word_diff import DiffPiece, word_diff
from results.run.ledger import History
from spaces.records.paired import with_occurrence
from spaces.records.trial import BASE
from spaces.records.verdict import SpokenLine, Verdict

VOICE = "recording"
"""Name of the speaker's own recordings among the voices that speak a line."""


@dataclass(frozen=True)
class SpokenTake:
    """One line as one voice spoke it."""

    voice: str
    """A trial, the base model, or `VOICE`."""
    text: str
    address: str | None
    """Address of the recording, relative to the page; None where the recording is gone."""
    picture: str | None = None
    """Address of its picture."""
    heard: tuple[DiffPiece, ...] | None = None
    """The transcript against the text; None without a recogniser."""
    flags: tuple[str, ...] = ()
    failed: bool = False
    measures: Mapping[str, float | None] = field(default_factory=dict)
    """By name of criterion."""
    score: float | None = None
    parts: tuple[tuple[str, float], ...] = ()
    """Parts of the score that are known."""


@dataclass(frozen=True)
class ProbeSession:
    """One verdict on a trial, with its recordings."""

    title: str
    verdict: Verdict
    takes: tuple[SpokenTake, ...]


@dataclass(frozen=True)
class TrialSection:
    """A trial, or the base model, with all its recordings."""

    row: TrialRow
    sessions: tuple[ProbeSession, ...]
    instructed: tuple[tuple[str, SpokenTake, SpokenTake, str], ...]
    """Text, calm take, excited take, and how the two differ."""


@dataclass(frozen=True)
class LineSet:
    """Lines that several voices have spoken, side by side."""

    name: str
    title: str
    rows: tuple[tuple[str, str, tuple[SpokenTake | None, ...]], ...]
    """Text and kind of a line, and its takes in the order of the voices."""


def spoken_take(trial: str, line: SpokenLine, media: PageMedia, with_picture: bool = False) -> SpokenTake:
    address = media.recording(trial, line.audio)
    parts = line.parts.model_dump() if line.parts else {}
    return SpokenTake(
        voice=trial,
        text=line.text,
        address=address,
        picture=media.picture(address) if with_picture else None,
        heard=tuple(word_diff(line.text, line.heard)) if line.heard is not None else None,
        flags=line.flags,
        failed=line.failed,
        measures=line.measures,
        score=line.score,
        parts=tuple((name, value) for name, value in parts.items() if value is not None),
    )


def trial_section(row: TrialRow, history: History, media: PageMedia) -> TrialSection:
    """All recordings of a trial, without pictures."""
    outcome = history.base if row.trial == BASE else history.outcomes.get(row.trial)
    final = history.confirmations.get(row.trial)
    verdicts: list[tuple[str, Verdict | None]] = []
    if outcome:
        verdicts.append(("Lines of every trial", outcome.verdict))
        verdicts.append(("Lines of every trial, at the earlier checkpoint", outcome.other_verdict))
    if final:
        verdicts += [(f"Lines of every trial, at strength {verdict.strength:g}", verdict) for verdict in final.weaker]
        verdicts.append(("Lines of the confirmation", final.confirmed))
    sessions = tuple(
        ProbeSession(title, verdict, tuple(spoken_take(row.trial, line, media) for line in verdict.lines))
        for title, verdict in verdicts
        if verdict is not None
    )
    instructed = []
    for pair in final.instructed if final else ():
        calm, excited = (
            SpokenTake(row.trial, pair.text, media.recording(row.trial, each.audio))
            for each in (pair.calm, pair.excited)
        )
        rise = f"{pair.pitch_rise:+.1f} semitones, " if pair.pitch_rise is not None else ""
        change = f"excited against calm: {rise}{pair.level_rise:+.1f} dB, {pair.speed_up:.2f}× as fast"
        instructed.append((pair.text, calm, excited, change))
    return TrialSection(row, sessions, tuple(instructed))


def line_sets(
    history: History,
    featured: Sequence[str],
    clips: Mapping[str, Path],
    media: PageMedia,
    on_take: Callable[[], None],
) -> list[LineSet]:
    """Lines of every trial, and lines of the confirmation, as the base model and the featured trials spoke them.

    The speaker's own recording, from `clips` by transcript, comes first. `on_take` is called after each take.
    """
    sets = []
    for name, title, confirmation in (
        ("trial", "Lines of every trial", False),
        ("final", "Lines of the confirmation", True),
    ):
        verdicts = {trial: comparable_verdict(history, trial, confirmation) for trial in (BASE, *featured)}
        spoken = {trial: dict(with_occurrence(verdict.lines)) for trial, verdict in verdicts.items() if verdict}
        if not any(trial != BASE for trial in spoken):
            continue
        keys = list(dict.fromkeys(key for lines in spoken.values() for key in lines))
        is_recorded = any(text in clips for text, _ in keys)
        rows = []
        for text, occurrence in keys:
            takes: list[SpokenTake | None] = [_own_recording(text, clips, media)] if is_recorded else []
            for trial, lines in spoken.items():
                line = lines.get((text, occurrence))
                takes.append(spoken_take(trial, line, media, with_picture=True) if line else None)
                on_take()
            kind = next(lines[text, occurrence].kind for lines in spoken.values() if (text, occurrence) in lines)
            rows.append((text, kind.value, tuple(takes)))
        sets.append(LineSet(name, title, tuple(rows)))
    return sets


def _own_recording(text: str, clips: Mapping[str, Path], media: PageMedia) -> SpokenTake | None:
    """The speaker's own recording of a text."""
    address = media.voice_recording(clips[text], f"clip_{list(clips).index(text)}") if text in clips else None
    return SpokenTake(VOICE, text, address, media.picture(address)) if address else None
