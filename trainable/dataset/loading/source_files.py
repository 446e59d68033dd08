"""What all loaders do with a source's files: read text, resolve file names, check transcripts, report unnamed audio.

A loader passes its listing; what is wrong is added to the listing as a finding.
"""

from collections.abc import Sequence
from pathlib import Path

from trainable.dataset.formatting import excerpt, first_few, printable
from trainable.dataset.listing import REFERENCE, Listing
from trainable.dataset.user_files import audio_in, is_file, is_unicode, path_inside, text_encoding


def read_text(path: Path, listing: Listing) -> str:
    """The whole file as text: UTF-8, or the encoding that its byte order mark names.

    An unreadable file adds an error and gives no text. A file in another encoding adds an error at the first wrong
    line, and gives its text with U+FFFD in place of wrong bytes, so that its other lines are still checked.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        listing.error("unreadable-text", printable(path), f"cannot be read ({error.strerror or type(error).__name__})")
        return ""
    encoding = text_encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = f"0x{data[error.start]:02x}" if error.start < len(data) else "its end"
        message = f"not {encoding.removesuffix('-sig').upper()} ({byte} cannot be read); save the file as UTF-8"
        listing.error("encoding", f"{printable(path)}:{line}", message)
        return data.decode(encoding, errors="replace")


def find_audio(
    name: str, where: str, listing: Listing, bases: Sequence[Path], suffixes: Sequence[str] = ("",)
) -> Path | None:
    """The first file that exists among `name` with these suffixes in these folders.

    None, with an error at `where`, if there is none, or none inside the listing's folder.
    """
    inside = False
    for base in bases:
        for suffix in suffixes:
            try:
                path = path_inside(listing.folder, base, name + suffix)
            except ValueError:
                message = f"transcript without audio, {excerpt(name) or 'nothing'} is not a file name; correct it"
                listing.error("missing-audio", where, message)
                return None
            if path is not None and is_file(path):
                return path
            inside = inside or path is not None
    if not inside:
        listing.error("outside", where, f"{excerpt(name)} lies outside the dataset's folder; copy it in")
        return None
    folders = " or ".join(f"{printable(base.name)}/" for base in bases)
    searched = "" if len(bases) == len(suffixes) == 1 else f" in {folders} in any format"
    message = f"transcript without audio, {excerpt(name)} does not exist{searched}; add it, or remove the line"
    listing.error("missing-audio", where, message)
    return None


def check_text(text: str, name: str, where: str, listing: Listing) -> bool:
    """Whether the transcript of the recording `name` can be used; adds an error if not."""
    if not text:
        message = f"{excerpt(name)} has an empty transcript; write what is said, or remove the clip"
        listing.error("empty-text", where, message)
        return False
    if not is_unicode(text):
        message = f"the transcript of {excerpt(name)} holds half of a character (a lone surrogate); write it again"
        listing.error("encoding", where, message)
        return False
    return True


def warn_of_unnamed(listing: Listing, folders: Sequence[Path]) -> None:
    """Adds a warning for recordings without a transcript in these folders and in those of named recordings."""
    searched = dict.fromkeys([*folders, *sorted({path.parent for path in listing.named})])
    known = listing.named | {row.ref_audio for row in listing.rows if row.ref_audio}
    unnamed = [path for folder in searched for path in audio_in(folder) if path not in known and path.stem != REFERENCE]
    if not unnamed:
        return
    names = first_few([printable(path.relative_to(listing.folder)) for path in unnamed])
    where = printable(unnamed[0] if len(unnamed) == 1 else listing.folder)
    count = "audio" if len(unnamed) == 1 else f"{len(unnamed)} recordings"
    message = f"{count} without a transcript ({names}), not used; write one, or move it away"
    listing.warning("unnamed-audio", where, message)
