"""Files of which a reader sees all or nothing, however many processes write them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = ".part"
"""Ending of what is being written, or was when its process was killed."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path of its own beside `path` to write to; it is flushed to disk and renamed when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{UNFINISHED}")
    try:
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
