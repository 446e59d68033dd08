"""What a recogniser made of a recording, and the journal that keeps it through a kill."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from trainable.speech.tempo import letters

JOURNAL = ".transcripts.jsonl"
"""Beside the recordings: a line for each that was ever heard, by any recogniser."""


class FileVersion(BaseModel):
    """A file, and what tells it from a later one of the same name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Relative to the dataset's folder, with forward slashes."""
    size: int
    """Bytes."""
    modified_ns: int

    @classmethod
    def of(cls, path: Path, folder: Path) -> FileVersion:
        seen = path.stat()
        return cls(name=path.relative_to(folder).as_posix(), size=seen.st_size, modified_ns=seen.st_mtime_ns)


class Transcript(BaseModel):
    """One recording, heard by one recogniser."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recording: FileVersion
    asr: str
    """As it was asked for."""
    language: str | None
    """As it was asked for; None where the recogniser was to find out."""
    seconds: float = 0.0
    speech_seconds: float = 0.0
    """Of them, where somebody speaks."""
    text: str = ""
    """Empty where nobody speaks, nothing was understood, or the file cannot be read."""
    confidence: float | None = None
    """exp of the mean log-probability of its tokens; None where no token was."""
    heard_language: str | None = None
    cut_off: bool = False
    """Whether the recogniser was stopped in the middle."""
    problem: str = ""
    """Why the file cannot be read; empty where it can."""

    @property
    def characters_per_second(self) -> float:
        """Letters and digits per second of speech."""
        return letters(self.text) / self.speech_seconds if self.speech_seconds else 0.0


class TranscriptJournal:
    """The transcripts of a folder by one recogniser in one language. Only ever added to."""

    def __init__(self, folder: Path, asr: str, language: str | None) -> None:
        self._path = folder / JOURNAL
        self._by = (asr, language)

    def read(self) -> dict[FileVersion, Transcript]:
        """What is known of every recording. A line cut by a crash is passed over."""
        known = {}
        if self._path.is_file():
            for line in self._path.read_bytes().splitlines():
                try:
                    transcript = Transcript.model_validate_json(line)
                except ValidationError:
                    continue
                if (transcript.asr, transcript.language) == self._by:
                    known[transcript.recording] = transcript
        return known

    def add(self, transcripts: Iterable[Transcript]) -> None:
        """On disk when it returns, each on a line of its own whatever was written before."""
        lines = "".join(transcript.model_dump_json() + "\n" for transcript in transcripts)
        with self._path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                lines = lines if file.read(1) == b"\n" else "\n" + lines
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())
