"""Files in storage, through pyarrow's filesystems. What fails for a while is tried again."""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from socket import gethostname
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, TypeVar

from spaces.errors import InputError
from trainable.files.atomic import UNFINISHED, atomic_file

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

RETRY_SECONDS = 60.0
"""How long one file is tried again before storage is given up."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0
CHUNK_BYTES = 8 * 2**20
DISK_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Of the node's own disk, which storage cannot mend."""
PERMANENT_ERRORS = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "INVALID_CLIENT_TOKEN_ID",
    "MISSING_AUTHENTICATION_TOKEN",
    "SIGNATURE_DOES_NOT_MATCH",
    "UNRECOGNIZED_CLIENT",
    "EXPIRED_TOKEN",
    "NO_SUCH_BUCKET",
)
"""What the AWS SDK calls errors that no patience mends."""
SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

FileStamp = tuple[int, int]
"""Bytes, and when it was written, in nanoseconds as far as storage tells them."""
Result = TypeVar("Result")


class StorageError(InputError, OSError):
    """Storage does not do what was asked of it, and was asked for long enough."""


def is_ignored(name: str) -> bool:
    """Whether no mirror holds this: names that begin with a dot, and what is still being written."""
    return any(part.startswith(".") or part.endswith(UNFINISHED) for part in PurePosixPath(name).parts)


@dataclass(frozen=True)
class ObjectStore:
    """A folder in storage; names are relative to it, with slashes. Methods raise StorageError, which names the address
    and the remedy; those that read also raise FileNotFoundError."""

    uri: str

    def listing(self, part: str, but: Collection[str] = ()) -> dict[str, FileStamp]:
        """Every finished file in that folder, or the file itself; empty where there is nothing. `but` these entries of
        it."""
        return self._patiently("listed", lambda: self._list(part, but))

    def send(self, local: Path, name: str) -> None:
        """A reader of storage sees all of the file or none. A local file that has gone away is left out."""
        try:
            self._patiently("written", lambda: self._send(local, name))
        except FileNotFoundError as error:
            raise StorageError(self._told("written", error, is_lasting=True)) from None

    def fetch(self, name: str, local: Path) -> None:
        """Whoever reads the local file sees all of it or none."""
        try:
            local.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno in DISK_FULL_ERRORS:
                raise
            raise StorageError(
                f"{local.parent}: cannot be made on {gethostname()} ({error.strerror}); what is in storage gets the "
                "same absolute path on every node: give --data and --out folders that can be made on each"
            ) from None
        self._patiently("read", lambda: self._fetch(name, local))

    def read(self, name: str) -> bytes | None:
        """A small file; None where it is not there."""
        try:
            return self._patiently("read", lambda: self._read(name))
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """A file that is not there is no error."""
        with suppress(FileNotFoundError):
            self._patiently("written", lambda: self._place[0].delete_file(self._path(name)))

    def check(self) -> None:
        """Writes a file, reads it and deletes it."""
        name, text = f".written-{uuid.uuid4().hex[:12]}", b"read back"
        with NamedTemporaryFile() as file:
            file.write(text)
            file.flush()
            self.send(Path(file.name), name)
        read = self.read(name)
        self.remove(name)
        if read != text:
            raise StorageError(f"{self.uri}: what is written there cannot be read back; give another --storage")

    @property
    def _place(self) -> tuple[FileSystem, str]:
        return file_system(self.uri)

    def _path(self, name: str) -> str:
        return "/".join(filter(None, (self._place[1].rstrip("/"), name)))

    @property
    def _is_local(self) -> bool:
        return self.uri.startswith("file:")

    def _list(self, part: str, but: Collection[str]) -> dict[str, FileStamp]:
        from pyarrow.fs import FileSelector, FileType

        system, base = self._place[0], self._path("")
        top = system.get_file_info(self._path(part))
        if top.type == FileType.Directory:
            found = system.get_file_info(FileSelector(top.path, recursive=not but, allow_not_found=True))
            if but:
                kept = [info for info in found if info.base_name not in but]
                found = [info for info in kept if info.type == FileType.File]
                for info in kept:
                    if info.type == FileType.Directory:
                        found += system.get_file_info(FileSelector(info.path, recursive=True, allow_not_found=True))
        else:
            found = [top]
        files = {info.path[len(base) :].lstrip("/"): info for info in found if info.type == FileType.File}
        return {
            name: (info.size, info.mtime_ns or 0)
            for name, info in sorted(files.items())
            if not name.endswith(UNFINISHED)
        }

    def _send(self, local: Path, name: str) -> None:
        system, path = self._place[0], self._path(name)
        try:
            source = local.open("rb")
        except FileNotFoundError:
            return
        with source:
            if not self._is_local:
                self._write(source, path)
                return
            folder, _, last = path.rpartition("/")
            system.create_dir(folder, recursive=True)
            beside = f"{folder}/.{last}.{uuid.uuid4().hex[:12]}{UNFINISHED}"
            self._write(source, beside)
            system.move(beside, path)

    def _write(self, source, path: str) -> None:
        """An object appears when its stream is closed, also when that is because of an error; such a one is removed."""
        system = self._place[0]
        stream = system.open_output_stream(path)
        try:
            shutil.copyfileobj(source, stream, CHUNK_BYTES)
            stream.close()
        except BaseException:
            with suppress(OSError):
                stream.close()
            with suppress(OSError):
                system.delete_file(path)
            raise

    def _fetch(self, name: str, local: Path) -> None:
        with (
            self._place[0].open_input_stream(self._path(name)) as stream,
            atomic_file(local) as beside,
            beside.open("wb") as file,
        ):
            shutil.copyfileobj(stream, file, CHUNK_BYTES)

    def _read(self, name: str) -> bytes:
        with self._place[0].open_input_stream(self._path(name)) as stream:
            return stream.read()

    def _patiently(self, done: str, call: Callable[[], Result]) -> Result:
        deadline, pause = time.monotonic() + RETRY_SECONDS, FIRST_PAUSE_SECONDS
        while True:
            try:
                return call()
            except FileNotFoundError:
                raise
            except OSError as error:
                if error.errno in DISK_FULL_ERRORS:
                    raise
                is_lasting = any(word in str(error) for word in PERMANENT_ERRORS)
                if is_lasting or time.monotonic() + pause > deadline:
                    raise StorageError(self._told(done, error, is_lasting)) from None
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _told(self, done: str, error: OSError, is_lasting: bool) -> str:
        remedy = (
            "see that the bucket is there and that every node may list, read, write and delete in it, by an instance "
            "profile or by its environment"
            if is_lasting
            else "see that every node reaches it"
        )
        return f"{self.uri}: cannot be {done} ({_without_secrets(error)}); {remedy}, then go on with --resume"


def _without_secrets(error: OSError) -> str:
    """The first line of it."""
    said = (str(error).splitlines() or [type(error).__name__])[0]
    for name in SECRETS:
        if os.environ.get(name):
            said = said.replace(os.environ[name], f"${name}")
    return said


@lru_cache(maxsize=8)
def file_system(uri: str) -> tuple[FileSystem, str]:
    """Pyarrow's, and the path in it. Where no region is named, this asks storage for that of the bucket. Raises
    InputError for an address that pyarrow does not understand."""
    import pyarrow
    from pyarrow.fs import FileSystem

    try:
        return FileSystem.from_uri(uri)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        said = str(error).splitlines()[0]
        raise InputError(f"--storage {uri}: pyarrow does not understand this address ({said})") from None
