"""What a source lists, before any recording is opened: the noun that every format is read into."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from trainable.dataset.finding import Finding, Severity


@dataclass(frozen=True)
class ListingRow:
    """One recording that a source names, with its transcript."""

    audio: Path
    """Absolute, inside the source's folder; not known to exist."""
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
    """The recording that says how its speaker sounds."""
    ref_text: str | None = None


@dataclass
class Listing:
    """All of one source. A reader adds to it; what it finds wrong is added as findings and reading goes on."""

    folder: Path
    """Absolute. `ref.wav` and `refs/` are looked for in it."""
    rows: list[ListingRow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    named: set[Path] = field(default_factory=set)
    """Every recording that is named, also by a line that is wrong in another way."""
    wants_words: bool = True
    """Whether a reference without a transcript is an error. Qwen's own format has no place for one."""

    def error(self, check: str, where: object, message: str) -> None:
        self._add(Severity.ERROR, check, where, message)

    def warning(self, check: str, where: object, message: str) -> None:
        self._add(Severity.WARNING, check, where, message)

    def note(self, check: str, where: object, message: str) -> None:
        self._add(Severity.NOTE, check, where, message)

    def _add(self, severity: Severity, check: str, where: object, message: str) -> None:
        self.findings.append(Finding(severity=severity, check=check, where=str(where), message=message))
