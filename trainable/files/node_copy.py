"""Copies a model from shared storage to each node's own disk, once."""

import hashlib
import os
import shutil
from pathlib import Path

from filelock import FileLock

from trainable.files.atomic import atomic_folder

VARIABLE = "SWEETSPOT_NODE_CACHE"


def node_copy(folder: Path) -> Path:
    """The copy of a model's folder under `$SWEETSPOT_NODE_CACHE` on this node; the folder itself where the variable is
    not set or the disk is too full.

    The first process to call this makes the copy, and others wait for it. A folder whose files have changed is copied
    again. An unfinished copy of a killed process is never used.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return folder
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    copy = Path(named) / "models" / f"{folder.name}-{_digest(folder, files)}"
    copy.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{copy}.lock"):
        if copy.is_dir():
            return copy
        if shutil.disk_usage(copy.parent).free < 2 * sum(path.stat().st_size for path in files):
            return folder
        with atomic_folder(copy) as part:
            shutil.copytree(folder, part, dirs_exist_ok=True)
    return copy


def _digest(folder: Path, files: list[Path]) -> str:
    """Hash of names, sizes and times. The weights are not read: the copy is there to read them only once."""
    entries = [(str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(repr((str(folder), entries)).encode()).hexdigest()[:12]
