"""Loads the sources of a command line as one dataset, or lists everything that is wrong with them."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from spaces.cli import OnProgress
from spaces.errors import InputError
from trainable.dataset.clip import Clip, ClipMeasures, Speaker, VoiceDataset
from trainable.dataset.finding import Finding, Severity, errors, raise_errors
from trainable.dataset.formatting import printable
from trainable.dataset.listing import Listing, ListingRow
from trainable.dataset.loading.detect import read_local
from trainable.dataset.loading.speakers import find_references, make_speakers, name_speakers, report_unreadable
from trainable.dataset.measure import measure_all
from trainable.dataset.source import Source

MEASURED_AT_ONCE = 256
"""Clips measured between two looks at how many hours there are."""
HELD_OUT_SPLITS = ("validation", "valid", "val", "dev")
"""Splits of the hub that are held out where another split of the same dataset is given too."""

Measured = dict[Path, ClipMeasures | InputError]


def no_progress(what: str, done: int, total: int) -> None:
    """Shows nothing."""


def open_dataset(
    sources: Sequence[Source], auto_reference: bool, cache: Path, on_progress: OnProgress = no_progress
) -> tuple[VoiceDataset | None, list[Finding]]:
    """Reads all sources and measures every recording; never raises for what they hold.

    The dataset holds all that can be read, even where there are errors, so that it can still be checked; it is None
    where no clip can be read. `load_dataset` raises instead.
    """
    clips: list[Clip] = []
    speakers: list[Speaker] = []
    findings: list[Finding] = []
    for index, source in enumerate(sources):
        try:
            listing = _list(source, sources, cache, on_progress)
            source_clips, source_speakers = _open(source, index, listing, auto_reference, cache, on_progress)
        except (InputError, OSError) as error:
            message = str(error).removeprefix(f"{source}: ")
            if isinstance(error, OSError):
                message = f"cannot be read ({error.strerror or type(error).__name__})"
            findings.append(
                Finding(severity=Severity.ERROR, check="source", where=printable(source), message=printable(message))
            )
            continue
        clips += source_clips
        speakers += source_speakers
        findings += listing.findings
    if not clips:
        return None, findings
    names = tuple(str(source) for source in sources)
    return VoiceDataset(names, tuple(source.weight for source in sources), tuple(clips), tuple(speakers)), findings


def load_dataset(
    sources: Sequence[Source], auto_reference: bool, cache: Path, on_progress: OnProgress = no_progress
) -> VoiceDataset:
    """A dataset without errors. Raises InputError that lists all errors, each with its file and what to do.

    With `auto_reference`, the best clip becomes the reference of a speaker without one.
    """
    dataset, findings = open_dataset(sources, auto_reference, cache, on_progress)
    raise_errors(findings)
    if dataset is None:
        raise InputError("no clips: expected at least one --data")
    return dataset


def _open(
    source: Source, index: int, listing: Listing, auto_reference: bool, cache: Path, on_progress: OnProgress
) -> tuple[list[Clip], list[Speaker]]:
    """Measures what is listed. Adds to the findings of the listing."""
    name_speakers(listing)
    label = f"measuring {source.name}"

    def measure(paths: Sequence[Path]) -> Measured:
        return measure_all(paths, cache, lambda done, total: on_progress(label, done, total))

    kept = _first_hours(listing.rows, source.hours, measure)
    clips = [_clip(row, measures, index) for row, measures in kept if isinstance(measures, ClipMeasures)]
    for row, measures in kept:
        if isinstance(measures, InputError):
            report_unreadable(listing, row.audio, measures)
    references = find_references(listing, [row for row, _ in kept])
    names = list(dict.fromkeys(row.speaker for row, _ in kept))
    if len(names) == 1 and names != [""]:
        clips = [dataclasses.replace(clip, speaker="") for clip in clips]
        references = {"": references[names[0]]} if references else {}
    measured = measure([each.audio for each in references.values()])
    speakers = make_speakers(listing, clips, references, measured, auto_reference)
    if not clips and not errors(listing.findings):
        listing.error("no-clips", printable(source), "no clips; it names no recording with a transcript")
    return clips, speakers


def _list(source: Source, sources: Sequence[Source], cache: Path, on_progress: OnProgress) -> Listing:
    """Raises InputError for a hub that gives nothing, OSError for a folder that cannot be read."""
    if not source.hub:
        assert source.path is not None
        return read_local(source.path, source)
    from trainable.dataset.loading.hub import read_hub

    listing = read_hub(source, cache, on_progress)
    splits = [each.split for each in sources if (each.id, each.path) == (source.id, source.path)]
    if source.split in HELD_OUT_SPLITS and set(splits) - set(HELD_OUT_SPLITS):
        listing.rows = [dataclasses.replace(row, held_out=True) for row in listing.rows]
    return listing


def _first_hours(
    rows: Sequence[ListingRow], hours: float | None, measure: Callable[[Sequence[Path]], Measured]
) -> list[tuple[ListingRow, ClipMeasures | InputError]]:
    """The rows with their measures, up to so many hours of audio but at least one readable row; all where hours is
    None."""
    if hours is None:
        measured = measure([row.audio for row in rows])
        return [(row, measured[row.audio]) for row in rows]
    kept: list[tuple[ListingRow, ClipMeasures | InputError]] = []
    total = 0.0
    for start in range(0, len(rows), MEASURED_AT_ONCE):
        chunk = rows[start : start + MEASURED_AT_ONCE]
        measured = measure([row.audio for row in chunk])
        for row in chunk:
            measures = measured[row.audio]
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
