"""Brings the results of a search from the head of a cluster into its folder here."""

from __future__ import annotations

import shlex
import shutil
import tarfile
from pathlib import Path

from results.run.run_folder import RunFolder
from search.submit.head import Head
from search.submit.ray_job import LostContactError
from spaces.errors import InputError

LEFT_THERE = ("./.*", "./ray", "./prepared", "./stop", "./trials/*/checkpoints")
"""What only a search that goes on needs."""
ARRIVED, UNPACKED = ".fetched.tar.gz", ".fetched"


def has_begun(head: Head, run: str) -> bool:
    """Whether the run on the head has a ledger. Raises LostContactError."""
    answer = head.run(f"test -e {shlex.quote(run)}/ledger.jsonl")
    if answer.is_lost:
        raise LostContactError(*answer.lines[-1:])
    return answer.code == 0


def fetch(head: Head, run: str, out: RunFolder) -> None:
    """Ledger, page, TensorBoard, pictures, recordings and the exported adapter; the ledger last.

    Raises LostContactError, and InputError where this disk does not take it.
    """
    packed = f"{run}.tar.gz"
    left = [f"--exclude={pattern}" for pattern in LEFT_THERE]
    # A board is still being written by a search that goes on; a file that grows meanwhile is no failure.
    tar = shlex.join(["tar", "-czf", packed, *left, "--warning=no-file-changed", "-C", run, "."])
    answer = head.run(f"{tar} || test $? -eq 1")
    if answer.is_lost:
        raise LostContactError(*answer.lines[-1:])
    if answer.code:
        said = answer.lines[-1] if answer.lines else "nothing"
        raise InputError(f"{head.name}: {run} could not be packed there ({said}); make room and type the same again")
    arrived, unpacked = out.path / ARRIVED, out.path / UNPACKED
    try:
        if not head.fetch(packed, arrived):
            raise LostContactError
        head.run(f"rm -f {shlex.quote(packed)}")
        shutil.rmtree(unpacked, ignore_errors=True)
        with tarfile.open(arrived) as archive:
            # Refuses links and paths that lead out of the folder.
            archive.extractall(unpacked, filter="data")
        _move(unpacked, out)
    except (OSError, tarfile.TarError, EOFError) as error:
        raise InputError(f"{out.path}: what was fetched could not be kept ({error}); type the same again") from None
    finally:
        arrived.unlink(missing_ok=True)
        shutil.rmtree(unpacked, ignore_errors=True)


def _move(unpacked: Path, out: RunFolder) -> None:
    """Each entry takes the place of the one that an earlier call brought."""
    for entry in sorted(unpacked.iterdir(), key=lambda path: path.name == out.ledger.name):
        there = out.path / entry.name
        if there.is_dir():
            shutil.rmtree(there)
        entry.replace(there)
