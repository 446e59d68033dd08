"""The record of a search on a cluster, in the run folder here."""

from pydantic import ValidationError

from results.run.run_folder import RunFolder
from spaces.errors import InputError
from spaces.frozen_model import FrozenModel
from trainable.files.atomic import write_text

RECORD = "cluster.json"


class SubmittedRun(FrozenModel):
    """A search on a cluster."""

    job: str
    """Ray's submission id."""
    run: str
    """The run folder on the head."""
    fetched: bool = False
    """Whether the job has ended and its results are in the folder here."""


def has_record(out: RunFolder) -> bool:
    return (out.path / RECORD).exists()


def read_record(out: RunFolder) -> SubmittedRun:
    """Raises InputError if the folder has no record."""
    path = out.path / RECORD
    try:
        return SubmittedRun.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise InputError(
            f"{path}: missing or unreadable, so no search on a cluster is known here; check --out, or omit --resume"
        ) from None


def write_record(out: RunFolder, record: SubmittedRun) -> None:
    write_text(out.path / RECORD, record.model_dump_json())


def delete_record(out: RunFolder) -> None:
    (out.path / RECORD).unlink(missing_ok=True)
