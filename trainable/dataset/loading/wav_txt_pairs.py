"""Pairs: each recording beside a text file of the same stem with its transcript."""

from pathlib import Path

from trainable.dataset.formatting import printable
from trainable.dataset.listing import REFERENCE, Listing, ListingRow
from trainable.dataset.loading.source_files import check_text, read_text, warn_of_unnamed
from trainable.dataset.user_files import audio_in, by_preference, files_in, is_file, is_unicode

OTHER_TEXTS = ("ref", "ref_text", "readme", "license", "licence")
"""Stems of text files that are not the transcript of a clip."""


def has_pairs(folder: Path) -> bool:
    return any(is_file(path.with_suffix(".txt")) for path in audio_in(folder) if path.stem != REFERENCE)


def read_pairs(folder: Path) -> Listing:
    """Clips sorted by name. The lines of a transcript are joined."""
    listing = Listing(folder)
    recordings: dict[str, Path] = {}
    for path in sorted(audio_in(folder), key=by_preference):
        recordings.setdefault(path.stem, path)
    for path in files_in(folder, (".txt",)):
        if path.stem.lower() not in OTHER_TEXTS:
            _add(path, recordings.get(path.stem), listing)
    warn_of_unnamed(listing, [folder])
    return listing


def _add(transcript: Path, audio: Path | None, listing: Listing) -> None:
    where = printable(transcript)
    if audio is None:
        name = printable(transcript.stem)
        message = f"transcript without audio, {name}.wav does not exist; add it, or move the text away"
        listing.error("missing-audio", where, message)
        return
    listing.named.add(audio)
    if not is_unicode(audio.name):
        listing.error("encoding", printable(audio), "its name is not valid Unicode; rename it")
        return
    text = " ".join(read_text(transcript, listing).split())
    is_unreadable = not text and any(finding.where == where for finding in listing.findings)
    if not is_unreadable and check_text(text, audio.name, where, listing):
        listing.rows.append(ListingRow(audio, text, where))
