"""What an export is asked for: the layout of its files, and what they say besides the weights."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from spaces.records.trial import Outcome


class ExportLayout(StrEnum):
    """The files of an export, named by what loads them."""

    PEFT = "peft"
    """An adapter for plain PEFT, with text_projection inside."""
    ALEXANDRIA = "alexandria"
    """The same in the layout of Alexandria's voices, with a reference recording and its transcript."""
    KATHRINE = "kathrine"
    """An adapter of the inner transformer alone, with `text_projection.bin` beside it."""
    MERGED = "merged"
    """A complete checkpoint that clones a voice from a recording, as the base model does."""
    CUSTOM_VOICE = "custom_voice"
    """A complete checkpoint that knows the voice by name, as the published CustomVoice models do."""

    @property
    def is_whole(self) -> bool:
        """Whether it is a complete checkpoint, which needs no base model."""
        return self in (ExportLayout.MERGED, ExportLayout.CUSTOM_VOICE)


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
