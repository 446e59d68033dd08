"""Files in object storage, through pyarrow's filesystems. Operations that fail are retried for a while."""

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
"""How long an operation on one file is retried before it fails."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0
CHUNK_BYTES = 8 * 2**20
DISK_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of the node's own disk; retrying does not help."""
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
"""Names of errors of the AWS SDK that retrying does not help."""
SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

FileStamp = tuple[int, int]
"""Size in bytes, and time of the last write in nanoseconds, as precise as storage gives it."""
Result = TypeVar("Result")


class StorageError(InputError, OSError):
    """An operation on storage failed for good."""


def is_ignored(name: str) -> bool:
    """Whether mirrors leave this file out: names that begin with a dot, and unfinished writes."""
    return any(part.startswith(".") or part.endswith(UNFINISHED) for part in PurePosixPath(name).parts)


@dataclass(frozen=True)
class ObjectStore:
    """A folder in storage. Names are relative to it, with slashes.

    Methods raise StorageError, which names the address and the remedy. Those that read also raise FileNotFoundError.
    """

    uri: str

    def listing(self, part: str, exclude: Collection[str] = ()) -> dict[str, FileStamp]:
        """Every finished file in the folder `part`, or the file `part` itself; empty where there is none.

        Entries of the folder named in `exclude` are left out.
        """
        return self._retry("listed", lambda: self._list(part, exclude))

    def send(self, local: Path, name: str) -> None:
        """Uploads a file; readers see all of it or none. A local file that no longer exists is skipped."""
        try:
            self._retry("written", lambda: self._send(local, name))
        except FileNotFoundError as error:
            raise StorageError(self._message("written", error, is_permanent=True)) from None

    def fetch(self, name: str, local: Path) -> None:
        """Downloads a file; readers see all of it or none."""
        try:
            local.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno in DISK_FULL_ERRORS:
                raise
            raise StorageError(
                f"{local.parent}: cannot be made on {gethostname()} ({error.strerror}); files in storage have the "
                "same absolute path on every node: give --data and --out folders that can be made on each"
            ) from None
        self._retry("read", lambda: self._fetch(name, local))

    def read(self, name: str) -> bytes | None:
        """The content of a small file; None where it does not exist."""
        try:
            return self._retry("read", lambda: self._read(name))
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Removes a file, if it exists."""
        with suppress(FileNotFoundError):
            self._retry("written", lambda: self._location[0].delete_file(self._path(name)))

    def check(self) -> None:
        """Writes a file, reads it and deletes it."""
        name, content = f".written-{uuid.uuid4().hex[:12]}", b"read back"
        with NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            self.send(Path(file.name), name)
        read = self.read(name)
        self.remove(name)
        if read != content:
            raise StorageError(f"{self.uri}: a file written there cannot be read back; give another --storage")

    @property
    def _location(self) -> tuple[FileSystem, str]:
        return file_system(self.uri)

    def _path(self, name: str) -> str:
        return "/".join(filter(None, (self._location[1].rstrip("/"), name)))

    @property
    def _is_local(self) -> bool:
        return self.uri.startswith("file:")

    def _list(self, part: str, exclude: Collection[str]) -> dict[str, FileStamp]:
        from pyarrow.fs import FileSelector, FileType

        system, base = self._location[0], self._path("")
        top = system.get_file_info(self._path(part))
        if top.type == FileType.Directory:
            found = system.get_file_info(FileSelector(top.path, recursive=not exclude, allow_not_found=True))
            if exclude:
                kept = [info for info in found if info.base_name not in exclude]
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
        system, path = self._location[0], self._path(name)
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
            part = f"{folder}/.{last}.{uuid.uuid4().hex[:12]}{UNFINISHED}"
            self._write(source, part)
            system.move(part, path)

    def _write(self, source, path: str) -> None:
        """Removes the object after an error: closing its stream makes it appear even then."""
        system = self._location[0]
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
            self._location[0].open_input_stream(self._path(name)) as stream,
            atomic_file(local) as part,
            part.open("wb") as file,
        ):
            shutil.copyfileobj(stream, file, CHUNK_BYTES)

    def _read(self, name: str) -> bytes:
        with self._location[0].open_input_stream(self._path(name)) as stream:
            return stream.read()

    def _retry(self, action: str, call: Callable[[], Result]) -> Result:
        deadline, pause = time.monotonic() + RETRY_SECONDS, FIRST_PAUSE_SECONDS
        while True:
            try:
                return call()
            except FileNotFoundError:
                raise
            except OSError as error:
                if error.errno in DISK_FULL_ERRORS:
                    raise
                is_permanent = any(name in str(error) for name in PERMANENT_ERRORS)
                if is_permanent or time.monotonic() + pause > deadline:
                    raise StorageError(self._message(action, error, is_permanent)) from None
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _message(self, action: str, error: OSError, is_permanent: bool) -> str:
        remedy = (
            "check that the bucket exists and that every node may list, read, write and delete in it, by an instance "
            "profile or by its environment"
            if is_permanent
            else "check that every node reaches it"
        )
        return f"{self.uri}: cannot be {action} ({_without_secrets(error)}); {remedy}, then continue with --resume"


def _without_secrets(error: OSError) -> str:
    """The first line of the error's message."""
    message = (str(error).splitlines() or [type(error).__name__])[0]
    for name in SECRETS:
        if os.environ.get(name):
            message = message.replace(os.environ[name], f"${name}")
    return message


@lru_cache(maxsize=8)
def file_system(uri: str) -> tuple[FileSystem, str]:
    """Pyarrow's filesystem, and the path in it. Asks storage for the region of a bucket where none is named.

    Raises InputError for an address that pyarrow does not understand.
    """
    import pyarrow
    from pyarrow.fs import FileSystem

    try:
        return FileSystem.from_uri(uri)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        message = str(error).splitlines()[0]
        raise InputError(f"--storage {uri}: pyarrow does not understand this address ({message})") from None
