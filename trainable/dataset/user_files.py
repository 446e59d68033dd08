"""Files that users bring: which of them are recordings, how their text is encoded, and what a name in them refers to.

Every rule on users' file names and text encodings is here, once for all loaders.
"""

import codecs
import os
from collections.abc import Sequence
from pathlib import Path

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".oga", ".aiff", ".aif", ".au", ".caf", ".w64")
"""Formats that libsndfile reads, in order of preference where two files have the same stem."""
FOREIGN_SUFFIXES = (".m4a", ".aac", ".wma", ".mp4", ".webm", ".amr")
"""Recordings that libsndfile cannot read."""

_BYTE_ORDER_MARKS = {
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def text_encoding(data: bytes) -> str:
    """The encoding that the byte order mark names; UTF-8 without one."""
    return next((name for mark, name in _BYTE_ORDER_MARKS.items() if data.startswith(mark)), "utf-8")


def lines_of(text: str) -> list[str]:
    """The lines of a text, split at LF, CRLF and CR only: JSON may hold U+2028 and the like within a string."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def is_unicode(text: str) -> bool:
    """Whether the text can be written as UTF-8: JSON can hold a lone surrogate, and a file name any bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def path_inside(folder: Path, base: Path, name: str) -> Path | None:
    """The absolute path of the file that metadata in `base` calls `name`; None where it is not inside `folder`.

    Only the path as written counts: links inside the folder are followed, because downloads by huggingface_hub consist
    of links. Raises ValueError for a name that no file can have.
    """
    if not name.strip() or "\0" in name or not is_unicode(name):
        raise ValueError("no file name")
    path = Path(os.path.normpath(base / name))
    if path.is_relative_to(folder):
        return path
    try:
        # An absolute path may have the links resolved that lead to the folder.
        relative = path.relative_to(folder.resolve())
    except ValueError:
        return None
    except (OSError, RuntimeError):
        raise ValueError("no file name") from None
    return folder / relative if Path(name).is_absolute() else None


def is_file(path: Path) -> bool:
    """As `Path.is_file`, but False for a name too long for the file system."""
    try:
        return path.is_file()
    except OSError:
        return False


def files_in(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Files directly in the folder with one of these suffixes, sorted by name; hidden files are left out.

    Raises OSError where the folder cannot be read.
    """
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and is_file(path)
    )


def audio_in(folder: Path) -> list[Path]:
    """Recordings directly in the folder, sorted by name; empty where the folder cannot be read."""
    try:
        return files_in(folder, AUDIO_SUFFIXES)
    except OSError:
        return []


def by_preference(path: Path) -> int:
    """Sort key of recordings with the same stem: the preferred format first."""
    return AUDIO_SUFFIXES.index(path.suffix.lower())


def audio_named(folder: Path, stem: str) -> Path | None:
    """The recording with that stem in the folder, in any format; None where there is none."""
    return min((path for path in audio_in(folder) if path.stem == stem), key=by_preference, default=None)
