"""LJSpeech's layout: `metadata.csv` with `id|text` or `id|text|normalised text` per line, recordings in `wavs/`.

There is no quoting: a quotation mark belongs to the text.
"""

from pathlib import Path

from trainable.dataset.formatting import excerpt, printable
from trainable.dataset.listing import Listing, ListingRow
from trainable.dataset.loading.source_files import check_text, find_audio, read_text, warn_of_unnamed
from trainable.dataset.user_files import AUDIO_SUFFIXES, lines_of

METADATA = "metadata.csv"
RECORDINGS = "wavs"


def read_ljspeech(metadata: Path) -> Listing:
    """Takes the third column, with numbers and abbreviations written out, where it is there, else the second."""
    listing = Listing(metadata.parent)
    lines = lines_of(read_text(metadata, listing))
    if any(line.strip() for line in lines) and not any("|" in line for line in lines):
        first = next(line for line in lines if line.strip())
        message = f"expected id|text per line, separated by |, got {excerpt(first.strip())}"
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
        message = f"expected id|text or id|text|normalised text, got {excerpt(line.strip())}; correct the line"
        listing.error("wrong-fields", where, message)
        return
    name, text = fields[0], fields[-1] or fields[1]
    suffixes = ("", *AUDIO_SUFFIXES) if name.lower().endswith(AUDIO_SUFFIXES) else AUDIO_SUFFIXES
    audio = find_audio(name, where, listing, (listing.folder / RECORDINGS, listing.folder), suffixes)
    if audio is not None:
        listing.named.add(audio)
    if check_text(text, name, where, listing) and audio is not None:
        listing.rows.append(ListingRow(audio, text, where))
