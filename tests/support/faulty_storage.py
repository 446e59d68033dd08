"""Storage that fails on demand, and disks that are mirrored to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from spaces.storage_uri import Storage
from trainable.files import object_store
from trainable.files.mirror import Mirror

FATAL = "ACCESS_DENIED, cut off"
"""An error that a retry does not resolve."""
COUNTED_CALLS = ("open_output_stream", "open_input_stream", "move", "delete_file")


class FaultyFiles:
    """A pyarrow file system that counts writes, reads and deletes. Calls `fails_from` to `fails_until` fail."""

    def __init__(self, system: Any, fails_from: int | None = None, fails_until: float = float("inf")) -> None:
        self._system, self._from, self._until = system, fails_from, fails_until
        self.touched: list[tuple[str, str]] = []
        self.error = FATAL

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._system, name)
        if name not in COUNTED_CALLS:
            return method

        def counted(path: str, *more: Any) -> Any:
            self.touched.append((name, more[0] if name == "move" else path))
            number = len(self.touched) - 1
            if self._from is not None and self._from <= number < self._until:
                raise OSError(self.error)
            return method(path, *more)

        return counted

    def names(self, method: str) -> list[str]:
        """The names of the files that the method was called for."""
        return [path.rpartition("/")[2] for called, path in self.touched if called == method]


@contextmanager
def faulty(fails_from: int | None = None, fails_until: float = float("inf")) -> Iterator[FaultyFiles]:
    """Replaces all storage by `FaultyFiles`."""
    whole = object_store.file_system
    made: list[FaultyFiles] = []

    def opened(uri: str) -> tuple[FaultyFiles, str]:
        system, path = whole(uri)
        made[0]._system = system
        return made[0], path

    made.append(FaultyFiles(None, fails_from, fails_until))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(object_store, "file_system", opened)
        yield made[0]


def disk(folder: Path, name: str, uri: str | None = None) -> Mirror:
    """A mirror of the run on one node's disk; all disks in a folder have the same storage."""
    root = folder / name
    root.mkdir(exist_ok=True)
    return Mirror.of(Storage(root=root, uri=uri or f"file://{folder}/storage"))


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def tree(root: Path) -> dict[str, str]:
    """The text of every file that a mirror copies."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    names = {path.relative_to(root).as_posix(): path for path in files}
    return {name: path.read_text() for name, path in names.items() if not object_store.is_ignored(name)}
