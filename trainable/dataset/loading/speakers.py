"""Who speaks in a source, and which recording says how each sounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spaces.errors import InputError
from trainable.dataset.clip import Clip, ClipMeasures, Speaker
from trainable.dataset.listing import Listing, ListingRow
from trainable.dataset.loading.guide import REFERENCE
from trainable.dataset.user_files import audio_named, is_file, printable, read_text

REFERENCES = "refs"
"""Folder with a recording and a text per speaker: `refs/NAME.wav`, `refs/NAME.txt`."""
WORDS = ("ref_text.txt", "ref.txt")


@dataclass(frozen=True)
class ReferenceCandidate:
    """A recording that a source gives as the reference of a speaker."""

    audio: Path
    text: str | None
    """None where nothing says what is spoken in it."""
    where: str
    """What gives the transcript, or the recording itself."""


def name_speakers(listing: Listing) -> None:
    """Gives each row without a speaker the name of its `ref_audio`: equal references, one speaker."""
    used = {row.ref_audio for row in listing.rows if row.ref_audio and not row.speaker}
    stems = [path.stem for path in used]
    names = {
        path: path.stem if stems.count(path.stem) == 1 else path.relative_to(listing.folder).as_posix() for path in used
    }
    listing.rows = [
        dataclasses.replace(row, speaker=names[row.ref_audio]) if row.ref_audio and not row.speaker else row
        for row in listing.rows
    ]
    if len(used) > 1 and len(used) * 2 > len(listing.rows):
        message = (
            f"{len(used)} distinct ref_audio for {len(listing.rows)} clips make as many speakers; "
            "name one recording in all lines of a speaker"
        )
        listing.warning("many-references", printable(listing.folder), message)


def candidates(listing: Listing, rows: Sequence[ListingRow]) -> dict[str, ReferenceCandidate]:
    """By speaker of these rows, where there is one: its rows' `ref_audio`, `refs/NAME.wav`, or `ref.wav`.

    `ref.wav` is that of a source's only speaker, and of rows that name none.
    """
    speakers = list(dict.fromkeys(row.speaker for row in rows))
    found: dict[str, ReferenceCandidate] = {}
    texts = {row.audio: row for row in reversed(listing.rows)}
    for row in rows:
        if row.ref_audio is not None and (row.speaker not in found or (row.ref_text and not found[row.speaker].text)):
            found[row.speaker] = _of_row(row, texts, listing)
    for name in speakers:
        given = found.get(name) or _in_references(name, listing)
        if given is None and (not name or len(speakers) == 1):
            given = _at_top(listing)
        if given is not None:
            found[name] = given
    return found


def settle(
    listing: Listing,
    clips: Sequence[Clip],
    given: Mapping[str, ReferenceCandidate],
    measured: Mapping[Path, ClipMeasures | InputError],
    auto_reference: bool,
) -> list[Speaker]:
    """A speaker for each name among the clips, in the order of their first clips.

    One whose reference is missing or unreadable gives an error, and has the clip that would do best as its reference,
    so that everything else about the dataset can be looked at.
    """
    from trainable.dataset.reference import propose_reference

    by_name: dict[str, list[Clip]] = {}
    for clip in clips:
        by_name.setdefault(clip.speaker, []).append(clip)
    speakers = []
    for name, own in by_name.items():
        best = propose_reference([clip for clip in own if not clip.held_out] or own)[0]
        reference = _reference(listing, name, best, given.get(name), measured, auto_reference)
        speakers.append(Speaker(name, best.source, reference))
    return speakers


def _reference(
    listing: Listing,
    name: str,
    best: Clip,
    given: ReferenceCandidate | None,
    measured: Mapping[Path, ClipMeasures | InputError],
    auto_reference: bool,
) -> Clip:
    measures = measured[given.audio] if given else None
    if given is not None and isinstance(measures, ClipMeasures) and (given.text is not None or not listing.wants_words):
        if given.text is None:
            message = f"{printable(given.audio.name)} has no transcript; add ref_text to its lines to have it checked"
            listing.note("reference-text", given.where, message)
        elif not given.text:
            message = f"empty; write the exact words of {printable(given.audio.name)}"
            listing.error("reference-text", given.where, message)
        return Clip(given.audio, given.text or "", measures, where=given.where, speaker=name, source=best.source)
    if given is not None and isinstance(measures, InputError):
        unreadable(listing, given.audio, measures)
    elif not auto_reference:
        who = f" for {printable(name)}" if name else ""
        lacking = f"no reference{who}, {_lacking(listing.folder, name, given)} missing"
        proposed = f"{printable(best.audio.name)} would do best ({best.seconds:.1f} s)"
        remedy = "copy it and its transcript" if given is None else "write the words, or copy it and its transcript"
        listing.error("no-reference", printable(listing.folder), f"{lacking}; {proposed}: {remedy}, or add --auto-ref")
    return best


def unreadable(listing: Listing, path: Path, error: InputError) -> None:
    """Adds what measuring said of a recording."""
    listing.error("unreadable", printable(path), printable(str(error).removeprefix(f"{path}: ")))


def _lacking(folder: Path, name: str, given: ReferenceCandidate | None) -> str:
    """The files that would make a reference."""
    if given is not None:
        return WORDS[0] if given.audio.stem == REFERENCE else f"the transcript of {printable(given.audio.name)}"
    if name:
        return f"{REFERENCES}/{printable(name)}.wav and {REFERENCES}/{printable(name)}.txt"
    has_words = any(is_file(folder / words) for words in WORDS)
    return f"{REFERENCE}.wav" if has_words else f"{REFERENCE}.wav and {WORDS[0]}"


def _of_row(row: ListingRow, rows: Mapping[Path, ListingRow], listing: Listing) -> ReferenceCandidate:
    assert row.ref_audio is not None
    if row.ref_text is not None:
        return ReferenceCandidate(row.ref_audio, row.ref_text, row.where)
    if row.ref_audio in rows:
        return ReferenceCandidate(row.ref_audio, rows[row.ref_audio].text, rows[row.ref_audio].where)
    beside = [row.ref_audio.with_suffix(".txt")]
    if row.ref_audio.stem == REFERENCE:
        beside += [row.ref_audio.with_name(name) for name in WORDS]
    return _with_words(row.ref_audio, beside, listing)


def _in_references(name: str, listing: Listing) -> ReferenceCandidate | None:
    """Looked up by stem, so that a name from metadata leads nowhere else."""
    audio = audio_named(listing.folder / REFERENCES, name) if name else None
    return _with_words(audio, [audio.with_suffix(".txt")], listing) if audio else None


def _at_top(listing: Listing) -> ReferenceCandidate | None:
    for folder in (listing.folder, listing.folder / "train"):
        audio = audio_named(folder, REFERENCE)
        if audio is not None:
            return _with_words(audio, [folder / name for name in WORDS], listing)
    return None


def _with_words(audio: Path, files: Sequence[Path], listing: Listing) -> ReferenceCandidate:
    words = next((path for path in files if is_file(path)), None)
    if words is None:
        return ReferenceCandidate(audio, None, printable(audio))
    return ReferenceCandidate(audio, read_text(words, listing).strip(), printable(words))
