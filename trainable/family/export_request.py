"""What an adapter is to be written as, and what its folder is to tell besides the weights."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from spaces.records.trial import Outcome


class ExportLayout(StrEnum):
    """Which files an exported trial is made of, by who is to load them."""

    PEFT = "peft"
    """An adapter for plain PEFT, with text_projection inside."""
    ALEXANDRIA = "alexandria"
    """The same as Alexandria's voices have it, with a reference recording and its transcript."""
    KATHRINE = "kathrine"
    """An adapter of the inner transformer alone, with `text_projection.bin` beside it."""
    MERGED = "merged"
    """A whole checkpoint that clones a voice from a recording, as the base model does."""
    CUSTOM_VOICE = "custom_voice"
    """A whole checkpoint that knows the voice by name, as the published CustomVoice models do theirs."""

    @property
    def is_whole(self) -> bool:
        """Whether it is a checkpoint that needs no base model beside it."""
        return self in (ExportLayout.MERGED, ExportLayout.CUSTOM_VOICE)


@dataclass(frozen=True)
class ReferenceClip:
    """A recording that says how the voice sounds."""

    audio: Path
    text: str
    """What is said in it."""


@dataclass(frozen=True)
class ExportRequest:
    """One export."""

    layout: ExportLayout
    model: str
    """The base model that was trained on: a hub id or a folder."""
    base_name: str
    """What the files call it; they are loaded elsewhere too."""
    speaker: str
    """What a layout that names its voice calls it: lower-case letters, digits and `_`."""
    outcome: Outcome | None = None
    """Of the trial, for a layout that tells how it was trained."""
    reference: ReferenceClip | None = None
    """For a layout that brings it."""


def speaker_name(voice: str) -> str:
    """What a checkpoint calls the voice: lower-case letters, digits and `_`, as the library looks names up."""
    name = re.sub(r"[^a-z0-9]+", "_", voice.lower()).strip("_")
    return name or "voice"
