"""What the folder of a run remembers of a cluster that the search is done on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from results.run.run_folder import RunFolder
from spaces.errors import InputError
from trainable.files.atomic import write_text

RECORD = "cluster.json"


class SubmittedRun(BaseModel):
    """A search on a cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: str
    """Ray's submission id."""
    run: str
    """Its folder on the head."""
    fetched: bool = False
    """Whether the job has ended and its results are here."""


def has_record(out: RunFolder) -> bool:
    return (out.path / RECORD).exists()


def read_record(out: RunFolder) -> SubmittedRun:
    """Raises InputError where no search on a cluster has begun."""
    path = out.path / RECORD
    try:
        return SubmittedRun.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise InputError(
            f"{path}: not there or not readable, so no search on a cluster is known to go on with"
        ) from None


def write_record(out: RunFolder, record: SubmittedRun) -> None:
    write_text(out.path / RECORD, record.model_dump_json())


def delete_record(out: RunFolder) -> None:
    (out.path / RECORD).unlink(missing_ok=True)
