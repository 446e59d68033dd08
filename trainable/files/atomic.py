"""Writes files and folders atomically: a reader sees all of one or nothing.

Everything is written under a dotted name beside its target, flushed to disk and renamed. Without the flush, a power cut
could leave a file with its final name but without its content.
"""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = ".part"
"""Ending of what is being written, and of what a killed process left behind."""


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8; see `atomic_file`."""
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def atomic_file(path: Path, flush: bool = True) -> Iterator[Path]:
    """Yields a path beside `path` to write to, and renames it to `path` when the block ends without an error.

    The temporary name is unique, so that several processes may write the same file; the last one wins. Missing folders
    are made. `flush=False` is for many small files that can be made again: each flush takes milliseconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{UNFINISHED}")
    try:
        yield part
        if flush:
            _flush(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yields an empty folder beside `path` to write to, and puts it in place of `path` when the block ends without an
    error; otherwise `path` stays as it was.

    Only one process may write a folder at a time. Leftovers of a killed process are removed first. While an old folder
    is replaced, a reader may find none for a moment.
    """
    part, old = (path.with_name(f".{path.name}{suffix}") for suffix in (UNFINISHED, ".old"))
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        for file in part.rglob("*"):
            if file.is_file():
                _flush(file)
        if not path.exists():
            part.rename(path)
            return
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
        try:
            part.rename(path)
        except OSError:
            old.rename(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
