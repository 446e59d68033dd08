"""What an export is asked for: the layout of its files, and what they say besides the weights."""

import re
from dataclasses import dataclass
from pathlib import Path

from spaces.export_layout import ExportLayout
from spaces.records.trial import Outcome


@dataclass(frozen=True)
class ReferenceClip:
    """A recording of the voice."""

    audio: Path
    text: str
    """Its transcript."""


@dataclass(frozen=True)
class ExportRequest:
    """One export."""

    layout: ExportLayout
    model: str
    """The base model that was trained on: a hub id or a folder."""
    base_name: str
    """Its name in the files, which are loaded on other machines too."""
    speaker: str
    """Name of the voice, for layouts that have one: lower-case letters, digits and `_`."""
    outcome: Outcome | None = None
    """The trial's outcome, for layouts that record how it was trained."""
    reference: ReferenceClip | None = None
    """For layouts that include it."""


def speaker_name(voice: str) -> str:
    """The voice's name in a checkpoint: lower-case letters, digits and `_`, because the library looks up lower case."""
    name = re.sub(r"[^a-z0-9]+", "_", voice.lower()).strip("_")
    return name or "voice"
