"""The folder of an export: written atomically, and only ever in place of an earlier export."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from results.export.adapter_manifest import MANIFEST, read_manifest
from spaces.errors import InputError
from trainable.files.atomic import atomic_folder


@contextmanager
def export_folder(folder: Path) -> Iterator[Path]:
    """Yields an empty folder to write to, and puts it in place of `folder` when the block ends without an error.

    Raises InputError where `folder` holds anything but an earlier export, or cannot be written.
    """
    check_target(folder)
    with ExitStack() as stack:
        try:
            part = stack.enter_context(atomic_folder(folder))
        except OSError as error:
            raise InputError(f"{folder}: cannot be written ({error.strerror}); give another DIR") from None
        yield part


def check_target(folder: Path) -> None:
    """Raises InputError for a folder that holds anything but an earlier export."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a new folder")
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    if not present:
        return
    if MANIFEST not in present:
        raise InputError(f"{folder}: not empty, and not an earlier export; give a new folder")
    foreign = sorted(present - {MANIFEST, *read_manifest(folder).files})
    if foreign:
        raise InputError(f"{folder}: holds {foreign[0]} beside an earlier export; move it away or give a new folder")


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but the manifest, by its path relative to the folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
