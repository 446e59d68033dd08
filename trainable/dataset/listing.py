"""What a source lists, before any recording is opened: every loader returns a `Listing`."""

from dataclasses import dataclass, field
from pathlib import Path

from trainable.dataset.finding import Finding, Severity

REFERENCE = "ref"
"""Stem of the recording that is a source's reference, in any format: `ref.wav`."""


@dataclass(frozen=True)
class ListingRow:
    """One recording that a source names, with its transcript."""

    audio: Path
    """Absolute, inside the source's folder."""
    text: str
    """Stripped, not empty, valid Unicode."""
    where: str
    """The line or file that names it."""
    speaker: str = ""
    held_out: bool = False
    language: str | None = None
    codes: tuple[tuple[int, ...], ...] | None = None
    """[frames][16]"""
    ref_audio: Path | None = None
    """The reference recording of its speaker."""
    ref_text: str | None = None


@dataclass
class Listing:
    """The rows of one source. A loader adds rows, and a finding for each thing that is wrong; then it reads on."""

    folder: Path
    """Absolute. `ref.wav` and `refs/` are looked for in it."""
    rows: list[ListingRow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    named: set[Path] = field(default_factory=set)
    """Every recording that is named, also by a line with an error."""
    needs_reference_text: bool = True
    """Whether a reference without a transcript is an error. Qwen's own format has no place for a transcript."""

    def error(self, check: str, where: object, message: str) -> None:
        self._add(Severity.ERROR, check, where, message)

    def warning(self, check: str, where: object, message: str) -> None:
        self._add(Severity.WARNING, check, where, message)

    def note(self, check: str, where: object, message: str) -> None:
        self._add(Severity.NOTE, check, where, message)

    def _add(self, severity: Severity, check: str, where: object, message: str) -> None:
        self.findings.append(Finding(severity=severity, check=check, where=str(where), message=message))
