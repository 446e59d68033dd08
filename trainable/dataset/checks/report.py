"""The report of a check: printed as a table in a terminal, or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from spaces.frozen_model import FrozenModel
from trainable.dataset.checks.all import SEVERITIES
from trainable.dataset.checks.grouping import clips_by_speaker
from trainable.dataset.clip import Clip, VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.formatting import printable
from trainable.dataset.reference import describe_reference, rank_references

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

MAX_SHOWN = 10
"""Findings of one check that are shown; the JSON holds all."""
COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


class SpeakerSummary(FrozenModel):
    """One speaker of a dataset."""

    name: str
    clips: int
    minutes: float
    reference: str
    """Path of its recording."""
    reference_seconds: float
    proposed: str | None
    """Path of the clip that would do best as the reference; None when it is the reference already."""
    why: str
    """One sentence on the proposed clip, or on the reference if it is the best."""


class DatasetSummary(FrozenModel):
    """A dataset in numbers."""

    sources: tuple[str, ...]
    clips: int
    held_out_by_source: int
    minutes: float
    shortest_seconds: float
    median_seconds: float
    longest_seconds: float
    rates: dict[int, int]
    """Number of clips by sample rate, Hz."""
    speakers: tuple[SpeakerSummary, ...]


class DatasetReport(FrozenModel):
    """Everything that `--json` prints."""

    dataset: DatasetSummary | None
    """None where no clip could be read."""
    findings: tuple[Finding, ...]


def summarise(dataset: VoiceDataset) -> DatasetSummary:
    """The dataset must have a clip."""
    seconds = [clip.seconds for clip in dataset.clips]
    by_speaker = clips_by_speaker(dataset)
    return DatasetSummary(
        sources=tuple(printable(name) for name in dataset.names),
        clips=len(dataset.clips),
        held_out_by_source=sum(clip.held_out for clip in dataset.clips),
        minutes=round(dataset.seconds / 60, 3),
        shortest_seconds=round(min(seconds), 2),
        median_seconds=round(median(seconds), 2),
        longest_seconds=round(max(seconds), 2),
        rates=dict(sorted(Counter(clip.measures.rate for clip in dataset.clips).items())),
        speakers=tuple(
            _speaker(speaker.name, speaker.reference, by_speaker[speaker.source, speaker.name])
            for speaker in dataset.speakers
        ),
    )


def _speaker(name: str, reference: Clip, clips: Sequence[Clip]) -> SpeakerSummary:
    best = rank_references([*clips, reference])[0]
    same = best.measures.sha256 == reference.measures.sha256
    return SpeakerSummary(
        name=printable(name),
        clips=len(clips),
        minutes=round(sum(clip.seconds for clip in clips) / 60, 3),
        reference=printable(reference.audio),
        reference_seconds=round(reference.seconds, 2),
        proposed=None if same else printable(best.audio),
        why=describe_reference(best, clips),
    )


def render(report: DatasetReport, console: Console) -> None:
    """Prints the summary and the findings, errors first; at most ten of each check."""
    if report.dataset is not None:
        console.print(_summary_table(report.dataset))
        console.print()
    for severity in SEVERITIES:
        found = [finding for finding in report.findings if finding.severity is severity]
        if found:
            console.print(counted(len(found), severity), style=f"bold {COLOURS[severity]}")
            console.print(_findings_table(found, severity, report.dataset))
            console.print()
    if not any(finding.severity is not Severity.NOTE for finding in report.findings):
        console.print("No errors or warnings.", style="bold green")


def counted(count: int, severity: Severity) -> str:
    return f"{count} {severity}" + ("" if count == 1 else "s")


def limited(findings: Sequence[Finding]) -> tuple[list[Finding], Counter[str]]:
    """The first ten findings of each check, and how many more there are by check."""
    shown, seen = [], Counter()
    for finding in findings:
        seen[finding.check] += 1
        if seen[finding.check] <= MAX_SHOWN:
            shown.append(finding)
    return shown, Counter({check: count - MAX_SHOWN for check, count in seen.items() if count > MAX_SHOWN})


def _summary_table(summary: DatasetSummary) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("data", Text("\n".join(summary.sources)))
    clips = f"{summary.clips}, {summary.minutes:.1f} minutes"
    held = f"; {summary.held_out_by_source} held out by their source" if summary.held_out_by_source else ""
    table.add_row("clips", clips + held)
    length = f"{summary.shortest_seconds:.1f} to {summary.longest_seconds:.1f} s, median {summary.median_seconds:.1f} s"
    table.add_row("length", length)
    for speaker in summary.speakers[:MAX_SHOWN]:
        table.add_row("reference" if len(summary.speakers) == 1 else "speaker", _reference(speaker))
    if len(summary.speakers) > MAX_SHOWN:
        table.add_row("", f"and {len(summary.speakers) - MAX_SHOWN} more speakers")
    return table


def _reference(speaker: SpeakerSummary) -> Text:
    from rich.text import Text

    text = Text()
    if speaker.name:
        text.append(f"{speaker.name}, {speaker.clips} clips, {speaker.minutes:.1f} minutes: ")
    text.append(f"{speaker.reference}, {speaker.reference_seconds:.1f} s")
    return text


def _findings_table(findings: Sequence[Finding], severity: Severity, summary: DatasetSummary | None) -> Table:
    from rich.table import Table
    from rich.text import Text

    everywhere = ", ".join(summary.sources) if summary else None
    table = Table.grid(padding=(0, 2))
    table.add_column(style=COLOURS[severity], no_wrap=True)
    table.add_column(overflow="fold")
    shown, more = limited(findings)
    remaining = Counter(finding.check for finding in shown)
    for finding in shown:
        text = Text() if finding.where == everywhere else Text(f"{finding.where}\n", style="dim")
        table.add_row(finding.check, text.append(finding.message, style="not dim"))
        remaining[finding.check] -= 1
        if not remaining[finding.check] and more[finding.check]:
            table.add_row("", Text(f"and {more[finding.check]} more", style="dim"))
    return table
