"""Pairs: a recording, and beside it a text file of the same name with what is said in it."""

from __future__ import annotations

from pathlib import Path

from trainable.dataset.listing import Listing, ListingRow
from trainable.dataset.loading.guide import REFERENCE, warn_of_unnamed
from trainable.dataset.user_files import AUDIO_SUFFIXES, audio_in, is_file, is_unicode, printable, read_text

OTHER_TEXTS = ("ref", "ref_text", "readme", "license", "licence")
"""Stems of text files that are no transcript of a clip."""


def has_pairs(folder: Path) -> bool:
    return any(is_file(path.with_suffix(".txt")) for path in audio_in(folder) if path.stem != REFERENCE)


def read_pairs(folder: Path) -> Listing:
    """Clips by name. A transcript of several lines is read as one."""
    listing = Listing(folder)
    recordings: dict[str, Path] = {}
    for path in sorted(audio_in(folder), key=lambda path: AUDIO_SUFFIXES.index(path.suffix.lower())):
        recordings.setdefault(path.stem, path)
    for words in sorted(path for path in folder.iterdir() if path.suffix.lower() == ".txt" and is_file(path)):
        if words.stem.lower() not in OTHER_TEXTS:
            _add(words, recordings.get(words.stem), listing)
    warn_of_unnamed(listing, [folder])
    return listing


def _add(words: Path, audio: Path | None, listing: Listing) -> None:
    where = printable(words)
    if audio is None:
        message = f"transcript without audio, {printable(words.stem)}.wav does not exist; add it, or move the text away"
        listing.error("missing-audio", where, message)
        return
    listing.named.add(audio)
    if not is_unicode(audio.name):
        listing.error("encoding", printable(audio), "its name is not valid Unicode; rename it")
        return
    text = " ".join(read_text(words, listing).split())
    if text:
        listing.rows.append(ListingRow(audio, text, where))
    elif not any(finding.where == where for finding in listing.findings):
        message = f"{printable(audio.name)} has an empty transcript; write what is said, or remove both"
        listing.error("empty-text", where, message)
