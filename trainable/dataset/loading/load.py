"""From the sources of a command line to one dataset, or to everything that keeps it from being one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from spaces.cli import OnProgress
from spaces.errors import InputError
from trainable.dataset.clip import Clip, ClipMeasures, Speaker, VoiceDataset
from trainable.dataset.finding import Finding, Severity, raise_errors
from trainable.dataset.listing import Listing, ListingRow
from trainable.dataset.loading.detect import read_local
from trainable.dataset.loading.speakers import candidates, name_speakers, settle, unreadable
from trainable.dataset.measure import measure_all
from trainable.dataset.source import Source
from trainable.dataset.user_files import printable

MEASURED_AT_ONCE = 256
"""Clips measured before it is looked whether the hours that were asked for are full."""

HELD_OUT_SPLITS = ("validation", "valid", "val", "dev")
"""Splits of the hub that are kept out of training where another split of the same dataset is given too."""


def no_progress(what: str, done: int, of: int) -> None:
    """Shows nothing."""


def open_dataset(
    sources: Sequence[Source], auto_reference: bool, cache: Path, on_progress: OnProgress = no_progress
) -> tuple[VoiceDataset | None, list[Finding]]:
    """Reads all sources and measures every recording; never raises for what they hold.

    The dataset is made of all that can be read, also where there are errors, so that the rest of it can be looked at
    before they are mended; it is None where not one clip can be. `load_dataset` is for those who want it whole.
    """
    clips: list[Clip] = []
    speakers: list[Speaker] = []
    findings: list[Finding] = []
    for place, source in enumerate(sources):
        try:
            listing = _list(source, sources, cache, on_progress)
            own_clips, own_speakers = _open(source, place, listing, auto_reference, cache, on_progress)
        except (InputError, OSError) as error:
            message = str(error).removeprefix(f"{source}: ")
            if isinstance(error, OSError):
                message = f"cannot be read ({error.strerror or type(error).__name__})"
            findings.append(
                Finding(severity=Severity.ERROR, check="source", where=printable(source), message=printable(message))
            )
            continue
        clips += own_clips
        speakers += own_speakers
        findings += listing.findings
    if not clips:
        return None, findings
    names = tuple(str(source) for source in sources)
    return VoiceDataset(names, tuple(source.weight for source in sources), tuple(clips), tuple(speakers)), findings


def load_dataset(
    sources: Sequence[Source], auto_reference: bool, cache: Path, on_progress: OnProgress = no_progress
) -> VoiceDataset:
    """A dataset without errors. Raises InputError that lists every one of them, each with its file and what to do.

    `auto_reference` takes the clip that does best as the reference of a speaker without one.
    """
    dataset, findings = open_dataset(sources, auto_reference, cache, on_progress)
    raise_errors(findings)
    if dataset is None:
        raise InputError("no clips: expected at least one --data")
    return dataset


def _open(
    source: Source, place: int, listing: Listing, auto_reference: bool, cache: Path, on_progress: OnProgress
) -> tuple[list[Clip], list[Speaker]]:
    """Measures what is listed. Adds to the findings of the listing."""
    name_speakers(listing)
    label = f"measuring {source.name}"

    def measured(paths: Sequence[Path]) -> dict[Path, ClipMeasures | InputError]:
        return measure_all(paths, cache, lambda done, of: on_progress(label, done, of))

    kept = _within(listing.rows, source.hours, measured)
    clips = [_clip(row, measures, place) for row, measures in kept if isinstance(measures, ClipMeasures)]
    for row, measures in kept:
        if isinstance(measures, InputError):
            unreadable(listing, row.audio, measures)
    given = candidates(listing, [row for row, _ in kept])
    speakers = list(dict.fromkeys(row.speaker for row, _ in kept))
    if len(speakers) == 1 and speakers != [""]:
        clips = [dataclasses.replace(clip, speaker="") for clip in clips]
        given = {"": given[speakers[0]]} if given else {}
    references = measured([each.audio for each in given.values()])
    settled = settle(listing, clips, given, references, auto_reference)
    if not clips and not any(finding.severity is Severity.ERROR for finding in listing.findings):
        listing.error("no-clips", printable(source), "no clips; it names no recording with a transcript")
    return clips, settled


def _list(source: Source, sources: Sequence[Source], cache: Path, on_progress: OnProgress) -> Listing:
    """Raises InputError for a hub that gives nothing, OSError for a folder that cannot be read."""
    if not source.hub:
        assert source.path is not None
        return read_local(source.path, source)
    from trainable.dataset.loading.hub import read_hub

    listing = read_hub(source, cache, on_progress)
    others = [each.split for each in sources if (each.id, each.path) == (source.id, source.path)]
    if source.split in HELD_OUT_SPLITS and set(others) - set(HELD_OUT_SPLITS):
        listing.rows = [dataclasses.replace(row, held_out=True) for row in listing.rows]
    return listing


def _within(
    rows: Sequence[ListingRow],
    hours: float | None,
    measured: Callable[[Sequence[Path]], dict[Path, ClipMeasures | InputError]],
) -> list[tuple[ListingRow, ClipMeasures | InputError]]:
    """The rows with their measures; of a source that is cut off, its first ones, at least one that can be read."""
    if hours is None:
        known = measured([row.audio for row in rows])
        return [(row, known[row.audio]) for row in rows]
    kept: list[tuple[ListingRow, ClipMeasures | InputError]] = []
    total = 0.0
    for start in range(0, len(rows), MEASURED_AT_ONCE):
        some = rows[start : start + MEASURED_AT_ONCE]
        known = measured([row.audio for row in some])
        for row in some:
            measures = known[row.audio]
            seconds = measures.seconds if isinstance(measures, ClipMeasures) else 0.0
            if total > 0 and total + seconds > hours * 3600:
                return kept
            total += seconds
            kept.append((row, measures))
    return kept


def _clip(row: ListingRow, measures: ClipMeasures, source: int) -> Clip:
    return Clip(
        audio=row.audio,
        text=row.text,
        measures=measures,
        where=row.where,
        speaker=row.speaker,
        source=source,
        held_out=row.held_out,
        language=row.language,
        codes=row.codes,
    )
