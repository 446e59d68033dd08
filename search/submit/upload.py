"""Files on their way to the head of a cluster."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LONGEST_NAME = 40


@dataclass(frozen=True)
class UploadBundle:
    """A folder to be made there. Equal files make an equal name, so what lies there under it is not sent again, and
    nobody changes what a search reads."""

    name: str
    """Of letters, digits, dots, dashes and underscores."""
    files: Mapping[str, Path | bytes]
    """By path in the folder, with slashes: a file here, or its content."""

    def stage(self, folder: Path) -> None:
        """Makes the folder here. A file of the same disk takes no room."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
                continue
            # What leads there may be a link, as in the hub's cache; what arrives is a file.
            content = content.resolve()
            try:
                os.link(content, path)
            except OSError:
                shutil.copy2(content, path)


def make_bundle(name: str, files: Mapping[str, Path | bytes]) -> UploadBundle:
    """Raises OSError for a file that cannot be read."""
    digest = hashlib.sha256()
    for inner, content in sorted(files.items()):
        digest.update(f"{inner}\0".encode(errors="surrogateescape"))
        if isinstance(content, bytes):
            digest.update(content)
        else:
            status = content.stat()
            digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
    return UploadBundle(f"{safe_name(name)}-{digest.hexdigest()[:12]}", dict(files))


def visible_files(folder: Path) -> dict[str, Path]:
    """Files below a folder by their path in it, but hidden ones. A folder that links lead to twice is in it once."""
    found: dict[str, Path] = {}
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        if real in seen:
            continue
        seen.add(real)
        for file in sorted(files):
            path = Path(place, file)
            if not file.startswith(".") and path.is_file():
                found[path.relative_to(folder).as_posix()] = path
    return found


def safe_name(name: str) -> str:
    """A name of characters that no shell and no file system minds."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:LONGEST_NAME] or "data"
