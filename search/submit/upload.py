"""Bundles of files to upload to the head of a cluster."""

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_NAME_LENGTH = 40


@dataclass(frozen=True)
class UploadBundle:
    """A folder to create on the head. Its name depends on its files, so equal files are not sent again, and no upload
    changes files that another search reads."""

    name: str
    """Letters, digits, dots, dashes and underscores."""
    files: Mapping[str, Path | bytes]
    """By relative path with slashes: a file here, or its content."""

    def stage(self, folder: Path) -> None:
        """Creates the folder on this machine. Files on the same disk are hard links and take no space."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
                continue
            # Links, such as those in the Hub's cache, become files.
            content = content.resolve()
            try:
                os.link(content, path)
            except OSError:
                shutil.copy2(content, path)


def make_bundle(name: str, files: Mapping[str, Path | bytes]) -> UploadBundle:
    """Names the bundle after `name` and a digest of its files. Raises OSError for a file that cannot be read."""
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
    """All files below a folder by their relative path, without hidden ones. Follows links, to each folder once."""
    found: dict[str, Path] = {}
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        if real in seen:
            continue
        seen.add(real)
        for file in sorted(files):
            path = Path(parent, file)
            if not file.startswith(".") and path.is_file():
                found[path.relative_to(folder).as_posix()] = path
    return found


def safe_name(name: str) -> str:
    """The name with every character replaced that a shell or a file system might treat specially."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:MAX_NAME_LENGTH] or "data"
