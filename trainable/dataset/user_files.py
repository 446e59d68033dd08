"""Files of unknown state: text in any Unicode encoding, names that may be anything, recordings of any format."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from trainable.dataset.listing import Listing

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".oga", ".aiff", ".aif", ".au", ".caf", ".w64")
"""What libsndfile reads of what people have, in the order in which two files of one name are preferred."""
FOREIGN_SUFFIXES = (".m4a", ".aac", ".wma", ".mp4", ".webm", ".amr")
"""Recordings that libsndfile cannot read."""
LONGEST_SHOWN = 80

_MARKS = {
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_text(path: Path, listing: Listing) -> str:
    """The whole file: UTF-8, or what its byte order mark says.

    A file that cannot be read gives an error and no text; one in another encoding an error that names the first wrong
    line, and its text with U+FFFD in place of what is wrong, so that all its other lines are still looked at.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        listing.error("unreadable-text", printable(path), f"cannot be read ({error.strerror or type(error).__name__})")
        return ""
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = f"0x{data[error.start]:02x}" if error.start < len(data) else "its end"
        message = f"not {encoding.removesuffix('-sig').upper()} ({byte} cannot be read); save the file as UTF-8"
        listing.error("encoding", f"{printable(path)}:{line}", message)
        return data.decode(encoding, errors="replace")


def lines_of(text: str) -> list[str]:
    """Split at line ends only: JSON may hold U+2028 and its like within a string."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def printable(text: object) -> str:
    """As a message can hold it: on one line, other characters than those that print are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(text))


def shown(text: object) -> str:
    """The same, cut at 80 characters."""
    whole = str(text)
    return printable(whole if len(whole) <= LONGEST_SHOWN else whole[:LONGEST_SHOWN] + "…")


def is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8: JSON can name half of a surrogate pair, and a file name can be any bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def path_inside(folder: Path, base: Path, name: str) -> Path | None:
    """The file that metadata lying in `base` calls `name`, absolute; None where it is not inside `folder`.

    What counts is the path as it is written: a symbolic link inside the folder was put there by its owner, and what
    huggingface_hub downloads is links throughout. Raises ValueError for what is no file name.
    """
    if not name.strip() or "\0" in name or not is_unicode(name):
        raise ValueError("no file name")
    path = Path(os.path.normpath(base / name))
    if path.is_relative_to(folder):
        return path
    try:
        # An absolute path may be written with the links resolved that lead to the folder.
        relative = path.relative_to(folder.resolve())
    except ValueError:
        return None
    except (OSError, RuntimeError):
        raise ValueError("no file name") from None
    return folder / relative if Path(name).is_absolute() else None


def is_file(path: Path) -> bool:
    """As `Path.is_file`, also False for a name too long for the file system."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_audio(path: Path) -> bool:
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".") and is_file(path)


def audio_in(folder: Path) -> list[Path]:
    """Recordings that lie directly in a folder, by name; none where there is no such folder."""
    try:
        return sorted(path for path in folder.iterdir() if is_audio(path))
    except OSError:
        return []


def audio_named(folder: Path, stem: str) -> Path | None:
    """The recording of that name in a folder, whatever its format."""
    found = [path for path in audio_in(folder) if path.stem == stem]
    return min(found, key=lambda path: AUDIO_SUFFIXES.index(path.suffix.lower()), default=None)
