"""A recogniser's transcript of a recording, and the journal that keeps transcripts on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from spaces.frozen_model import FrozenModel
from trainable.speech.tempo import letters

JOURNAL = ".transcripts.jsonl"
"""Beside the recordings: a line per transcript ever made, by any recogniser."""


class FileVersion(FrozenModel):
    """A file, distinguished from later versions by its size and modification time."""

    name: str
    """Relative to the dataset's folder, with forward slashes."""
    size: int
    """Bytes."""
    modified_ns: int

    @classmethod
    def of(cls, path: Path, folder: Path) -> FileVersion:
        stat = path.stat()
        return cls(name=path.relative_to(folder).as_posix(), size=stat.st_size, modified_ns=stat.st_mtime_ns)


class Transcript(FrozenModel):
    """The transcript of one recording by one recogniser."""

    recording: FileVersion
    asr: str
    """The model, as the user gave it."""
    language: str | None
    """As the user gave it; None where the recogniser detects it."""
    seconds: float = 0.0
    speech_seconds: float = 0.0
    """Seconds with speech."""
    text: str = ""
    """Empty where there is no speech, nothing was recognised, or the file cannot be read."""
    confidence: float | None = None
    """exp of the mean log-probability of its tokens; None without a token."""
    heard_language: str | None = None
    """As the recogniser detected it."""
    cut_off: bool = False
    """Whether the recogniser reached its token limit."""
    problem: str = ""
    """Why the file cannot be read; empty where it can."""

    @property
    def characters_per_second(self) -> float:
        """Letters and digits per second of speech."""
        return letters(self.text) / self.speech_seconds if self.speech_seconds else 0.0


class TranscriptJournal:
    """The transcripts of a folder by one recogniser in one language. Append-only."""

    def __init__(self, folder: Path, asr: str, language: str | None) -> None:
        self._path = folder / JOURNAL
        self._key = (asr, language)

    def read(self) -> dict[FileVersion, Transcript]:
        """The latest transcript of each recording. A line cut off by a crash is skipped."""
        known = {}
        if self._path.is_file():
            for line in self._path.read_bytes().splitlines():
                try:
                    transcript = Transcript.model_validate_json(line)
                except ValidationError:
                    continue
                if (transcript.asr, transcript.language) == self._key:
                    known[transcript.recording] = transcript
        return known

    def add(self, transcripts: Iterable[Transcript]) -> None:
        """Appends the transcripts, and returns when they are on disk. A line cut off before is ended first."""
        lines = "".join(transcript.model_dump_json() + "\n" for transcript in transcripts)
        with self._path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                lines = lines if file.read(1) == b"\n" else "\n" + lines
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())
