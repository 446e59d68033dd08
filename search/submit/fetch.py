"""Fetches the results of a search from the head of a cluster into the run folder here."""

import shlex
import shutil
import tarfile
from pathlib import Path

from results.run.run_folder import RunFolder
from search.submit.head import Head
from search.submit.ray_job import LostContactError
from spaces.errors import InputError

NOT_FETCHED = ("./.*", "./ray", "./prepared", "./stop", "./trials/*/checkpoints")
"""Needed only to continue the search."""
ARRIVED, UNPACKED = ".fetched.tar.gz", ".fetched"


def has_begun(head: Head, run: str) -> bool:
    """Whether the search has started: its run folder on the head has a ledger. Raises LostContactError."""
    result = head.run(f"test -e {shlex.quote(run)}/ledger.jsonl")
    if result.is_lost:
        raise LostContactError(*result.lines[-1:])
    return result.code == 0


def fetch(head: Head, run: str, out: RunFolder) -> None:
    """Fetches the ledger, page, TensorBoard, pictures, recordings and the exported adapter.

    Raises LostContactError, or InputError if the files cannot be packed there or written here.
    """
    packed = f"{run}.tar.gz"
    excludes = [f"--exclude={pattern}" for pattern in NOT_FETCHED]
    # While the search runs, TensorBoard files grow as they are packed; tar then exits with 1, which is no failure.
    tar = shlex.join(["tar", "-czf", packed, *excludes, "--warning=no-file-changed", "-C", run, "."])
    result = head.run(f"{tar} || test $? -eq 1")
    if result.is_lost:
        raise LostContactError(*result.lines[-1:])
    if result.code:
        output = result.lines[-1] if result.lines else "no output"
        raise InputError(f"{head.name}: {run} could not be packed there ({output}); make room there and run this again")
    arrived, unpacked = out.path / ARRIVED, out.path / UNPACKED
    try:
        if not head.fetch(packed, arrived):
            raise LostContactError
        head.run(f"rm -f {shlex.quote(packed)}")
        shutil.rmtree(unpacked, ignore_errors=True)
        with tarfile.open(arrived) as archive:
            # This filter refuses links and paths that lead out of the folder.
            archive.extractall(unpacked, filter="data")
        _move(unpacked, out)
    except (OSError, tarfile.TarError, EOFError) as error:
        raise InputError(
            f"{out.path}: the results could not be unpacked ({error}); run the same command again"
        ) from None
    finally:
        arrived.unlink(missing_ok=True)
        shutil.rmtree(unpacked, ignore_errors=True)


def _move(unpacked: Path, out: RunFolder) -> None:
    """Replaces the entries of an earlier fetch, the ledger last."""
    for entry in sorted(unpacked.iterdir(), key=lambda path: path.name == out.ledger.name):
        target = out.path / entry.name
        if target.is_dir():
            shutil.rmtree(target)
        entry.replace(target)
