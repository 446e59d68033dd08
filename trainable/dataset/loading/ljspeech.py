"""LJSpeech's layout: `metadata.csv` with `id|text` or `id|text|normalised text` on each line, recordings in `wavs/`.

Nothing is quoted: a quotation mark belongs to the text.
"""

from __future__ import annotations

from pathlib import Path

from trainable.dataset.listing import Listing, ListingRow
from trainable.dataset.loading.guide import warn_of_unnamed
from trainable.dataset.user_files import AUDIO_SUFFIXES, is_file, lines_of, path_inside, printable, read_text, shown

METADATA = "metadata.csv"
RECORDINGS = "wavs"


def read_ljspeech(metadata: Path) -> Listing:
    """The third column, with numbers and abbreviations written out, wins over the second where it is there."""
    listing = Listing(metadata.parent)
    lines = lines_of(read_text(metadata, listing))
    if any(line.strip() for line in lines) and not any("|" in line for line in lines):
        first = next(line for line in lines if line.strip())
        message = f"expected id|text on each line, parted by |, got {shown(first.strip())}"
        listing.error("wrong-fields", printable(metadata), message)
        return listing
    for number, line in enumerate(lines, start=1):
        if line.strip():
            _add(line, f"{printable(metadata)}:{number}", listing)
    if not listing.rows and not listing.findings:
        listing.error("no-clips", printable(metadata), "no clips; it holds no line with id|text")
    warn_of_unnamed(listing, [metadata.parent])
    return listing


def _add(line: str, where: str, listing: Listing) -> None:
    fields = [field.strip() for field in line.split("|")]
    if not 2 <= len(fields) <= 3 or not fields[0]:
        message = f"expected id|text or id|text|normalised text, got {shown(line.strip())}"
        listing.error("wrong-fields", where, message)
        return
    name, text = fields[0], fields[-1] or fields[1]
    audio = _find(name, where, listing)
    if audio is not None:
        listing.named.add(audio)
    if not text:
        message = f"{shown(name)} has an empty transcript; write what is said, or remove the line"
        listing.error("empty-text", where, message)
    elif audio is not None:
        listing.rows.append(ListingRow(audio, text, where))


def _find(name: str, where: str, listing: Listing) -> Path | None:
    """The recording with that ID, with or without its ending, in `wavs/` or beside the metadata."""
    endings = ("", *AUDIO_SUFFIXES) if name.lower().endswith(AUDIO_SUFFIXES) else AUDIO_SUFFIXES
    inside = False
    for base in (listing.folder / RECORDINGS, listing.folder):
        for ending in endings:
            try:
                path = path_inside(listing.folder, base, name + ending)
            except ValueError:
                message = f"transcript without audio, {shown(name)} is no file name"
                listing.error("missing-audio", where, message)
                return None
            if path is not None and is_file(path):
                return path
            inside = inside or path is not None
    if inside:
        tried = f"neither {RECORDINGS}/{shown(name)}.wav nor one beside {METADATA} exists, in any format"
        listing.error("missing-audio", where, f"transcript without audio, {tried}")
    else:
        listing.error("outside", where, f"{shown(name)} lies outside the dataset's folder; copy it in")
    return None
