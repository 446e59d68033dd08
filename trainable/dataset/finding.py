"""Findings of the checks: what is wrong with a dataset, where, and what to do."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter

from spaces.errors import InputError
from spaces.frozen_model import FrozenModel
from trainable.files.atomic import write_text

MAX_RAISED = 20
"""Errors that are listed when a search is refused."""


class Severity(StrEnum):
    """`error` stops a search, `warning` does not, `note` is information."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Finding(FrozenModel):
    """One result of a check."""

    severity: Severity
    check: str
    """Name of the check, in kebab case: `clipped`, `duplicate-text`."""
    where: str
    """The file, the line, or the dataset."""
    message: str
    """What was found, what was expected, and what to do."""
    clips: tuple[str, ...] = ()
    """Paths of all clips concerned; may be empty for a finding on the whole dataset."""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def raise_errors(findings: Iterable[Finding]) -> None:
    """Raises InputError with one line per error among the findings, 20 at most."""
    found = errors(findings)
    if not found:
        return
    lines = [str(finding) for finding in found[:MAX_RAISED]]
    if len(found) > MAX_RAISED:
        lines.append(f"and {len(found) - MAX_RAISED} more errors; `python -m trainable.dataset check` lists them all")
    raise InputError("\n".join(lines))


def write_findings(path: Path, findings: list[Finding]) -> None:
    write_text(path, _LIST.dump_json(findings, indent=1).decode())


def read_findings(path: Path) -> list[Finding]:
    """Empty where there is no such file."""
    return _LIST.validate_json(path.read_bytes()) if path.is_file() else []


_LIST = TypeAdapter(list[Finding])
