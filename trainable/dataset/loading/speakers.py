"""The speakers of a source, and the reference recording of each."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spaces.errors import InputError
from trainable.dataset.clip import Clip, ClipMeasures, Speaker
from trainable.dataset.formatting import printable
from trainable.dataset.listing import REFERENCE, Listing, ListingRow
from trainable.dataset.loading.source_files import read_text
from trainable.dataset.reference import rank_references
from trainable.dataset.user_files import audio_named, is_file

REFERENCES = "refs"
"""Folder with a recording and a transcript per speaker: `refs/NAME.wav`, `refs/NAME.txt`."""
REFERENCE_TEXTS = ("ref_text.txt", "ref.txt")
"""Names of the transcript of `ref.wav`, the preferred first."""


@dataclass(frozen=True)
class ReferenceCandidate:
    """A recording that a source gives as the reference of a speaker."""

    audio: Path
    text: str | None
    """None where there is no transcript."""
    where: str
    """The file or line of the transcript, or else the recording."""


def name_speakers(listing: Listing) -> None:
    """Names the speaker of each row without one after its `ref_audio`: rows with one reference have one speaker."""
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


def find_references(listing: Listing, rows: Sequence[ListingRow]) -> dict[str, ReferenceCandidate]:
    """The reference of each speaker of these rows that has one: `ref_audio` of its rows, `refs/NAME.wav`, or `ref.wav`.

    `ref.wav` is the reference of a source's only speaker, and of rows without a speaker.
    """
    speakers = list(dict.fromkeys(row.speaker for row in rows))
    found: dict[str, ReferenceCandidate] = {}
    rows_by_audio = {row.audio: row for row in reversed(listing.rows)}
    for row in rows:
        if row.ref_audio is not None and (row.speaker not in found or (row.ref_text and not found[row.speaker].text)):
            found[row.speaker] = _from_row(row, rows_by_audio, listing)
    for name in speakers:
        candidate = found.get(name) or _from_refs_folder(name, listing)
        if candidate is None and (not name or len(speakers) == 1):
            candidate = _from_source_folder(listing)
        if candidate is not None:
            found[name] = candidate
    return found


def make_speakers(
    listing: Listing,
    clips: Sequence[Clip],
    references: Mapping[str, ReferenceCandidate],
    measured: Mapping[Path, ClipMeasures | InputError],
    auto_reference: bool,
) -> list[Speaker]:
    """A speaker for each name among the clips, in the order of their first clips.

    A speaker whose reference is missing or unreadable adds an error and gets its best clip as the reference, so that
    the rest of the dataset can still be checked.
    """
    by_name: dict[str, list[Clip]] = {}
    for clip in clips:
        by_name.setdefault(clip.speaker, []).append(clip)
    speakers = []
    for name, own in by_name.items():
        best = rank_references([clip for clip in own if not clip.held_out] or own)[0]
        reference = _reference(listing, name, best, references.get(name), measured, auto_reference)
        speakers.append(Speaker(name, best.source, reference))
    return speakers


def _reference(
    listing: Listing,
    name: str,
    best: Clip,
    candidate: ReferenceCandidate | None,
    measured: Mapping[Path, ClipMeasures | InputError],
    auto_reference: bool,
) -> Clip:
    """The candidate as a clip; `best` where it cannot be used."""
    measures = measured[candidate.audio] if candidate else None
    has_text = candidate is not None and candidate.text is not None
    if candidate is not None and isinstance(measures, ClipMeasures) and (has_text or not listing.needs_reference_text):
        audio = printable(candidate.audio.name)
        if candidate.text is None:
            message = f"{audio} has no transcript; add ref_text to its lines to have it checked"
            listing.note("reference-text", candidate.where, message)
        elif not candidate.text:
            listing.error("reference-text", candidate.where, f"empty; write the exact words of {audio}")
        text, where = candidate.text or "", candidate.where
        return Clip(candidate.audio, text, measures, where=where, speaker=name, source=best.source)
    if candidate is not None and isinstance(measures, InputError):
        report_unreadable(listing, candidate.audio, measures)
    elif not auto_reference:
        whose = f" for {printable(name)}" if name else ""
        missing = f"no reference{whose}, {_missing_files(listing.folder, name, candidate)} missing"
        proposal = f"{printable(best.audio.name)} would do best ({best.seconds:.1f} s)"
        remedy = "copy it and its transcript"
        if candidate is not None:
            remedy = f"write the transcript, or {remedy}"
        listing.error("no-reference", printable(listing.folder), f"{missing}; {proposal}: {remedy}, or add --auto-ref")
    return best


def report_unreadable(listing: Listing, path: Path, error: InputError) -> None:
    """Adds the error that measuring a recording raised."""
    listing.error("unreadable", printable(path), printable(str(error).removeprefix(f"{path}: ")))


def _missing_files(folder: Path, name: str, candidate: ReferenceCandidate | None) -> str:
    """The files to add for a complete reference."""
    if candidate is not None:
        audio = candidate.audio
        return REFERENCE_TEXTS[0] if audio.stem == REFERENCE else f"the transcript of {printable(audio.name)}"
    if name:
        return f"{REFERENCES}/{printable(name)}.wav and {REFERENCES}/{printable(name)}.txt"
    has_text = any(is_file(folder / text) for text in REFERENCE_TEXTS)
    return f"{REFERENCE}.wav" if has_text else f"{REFERENCE}.wav and {REFERENCE_TEXTS[0]}"


def _from_row(row: ListingRow, rows_by_audio: Mapping[Path, ListingRow], listing: Listing) -> ReferenceCandidate:
    audio = row.ref_audio
    assert audio is not None
    if row.ref_text is not None:
        return ReferenceCandidate(audio, row.ref_text, row.where)
    if audio in rows_by_audio:
        return ReferenceCandidate(audio, rows_by_audio[audio].text, rows_by_audio[audio].where)
    texts = [audio.with_suffix(".txt")]
    if audio.stem == REFERENCE:
        texts += [audio.with_name(name) for name in REFERENCE_TEXTS]
    return _with_transcript(audio, texts, listing)


def _from_refs_folder(name: str, listing: Listing) -> ReferenceCandidate | None:
    """Found by stem, so that a speaker's name from metadata cannot lead to another folder."""
    audio = audio_named(listing.folder / REFERENCES, name) if name else None
    return _with_transcript(audio, [audio.with_suffix(".txt")], listing) if audio else None


def _from_source_folder(listing: Listing) -> ReferenceCandidate | None:
    for folder in (listing.folder, listing.folder / "train"):
        audio = audio_named(folder, REFERENCE)
        if audio is not None:
            return _with_transcript(audio, [folder / name for name in REFERENCE_TEXTS], listing)
    return None


def _with_transcript(audio: Path, texts: Sequence[Path], listing: Listing) -> ReferenceCandidate:
    """`texts`: files that may hold the transcript; the first that exists is read."""
    transcript = next((path for path in texts if is_file(path)), None)
    if transcript is None:
        return ReferenceCandidate(audio, None, printable(audio))
    return ReferenceCandidate(audio, read_text(transcript, listing).strip(), printable(transcript))
