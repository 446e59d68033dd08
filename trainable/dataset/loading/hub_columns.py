"""Which columns of a hub's dataset hold the recordings, their transcripts and who speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spaces.errors import InputError
from trainable.dataset.source import Source
from trainable.dataset.user_files import printable

TEXT_NAMES = ("text", "sentence", "transcription", "transcript", "normalized_text", "raw_text")
SPEAKER_NAMES = ("speaker", "speaker_id", "client_id")
FILE_NAMES = ("audio", "file")
"""What columns of bare bytes are called that hold recordings."""


@dataclass(frozen=True)
class Columns:
    """Names of columns."""

    audio: str
    text: str
    speaker: str | None

    @property
    def names(self) -> list[str]:
        return [name for name in (self.audio, self.text, self.speaker) if name is not None]


def find_columns(features: Mapping[str, object], source: Source) -> Columns:
    """By what the source asks for, else by type and name. `features` are those of `datasets`, by column.

    Raises InputError that names the columns there are and the option to type, where none fits or several do.
    """
    audio = [name for name, feature in features.items() if _holds_audio(name, feature)]
    text = [name for name, feature in features.items() if name.lower() in TEXT_NAMES and _is_string(feature)]
    speaker = [name for name in features if name.lower() in SPEAKER_NAMES]
    chosen = {
        "audio": _choose("audio", source.audio, audio, features, source),
        "text": _choose("text", source.text, text, features, source),
    }
    if source.speaker is None and not speaker:
        return Columns(**chosen, speaker=None)
    return Columns(**chosen, speaker=_choose("speaker", source.speaker, speaker, features, source))


def _choose(what: str, asked: str | None, found: list[str], features: Mapping[str, object], source: Source) -> str:
    there = ", ".join(printable(name) for name in features) or "none"
    if asked is not None:
        if asked not in features:
            raise InputError(f"{source}: no column {asked}; there are {there}")
        return asked
    if len(found) == 1:
        return found[0]
    several = f"{', '.join(map(printable, found))} could each be" if found else "no column is plainly"
    example = printable(found[0]) if found else "COLUMN"
    raise InputError(f"{source}: {several} the {what}; the columns are {there}: add ,{what}={example}")


def _holds_audio(name: str, feature: object) -> bool:
    """An `Audio`, its bytes and path as `datasets` keep them, or bare bytes by that name."""
    if type(feature).__name__ == "Audio":
        return True
    if isinstance(feature, Mapping):
        return "bytes" in feature and "path" in feature and name.lower() in FILE_NAMES
    return name.lower() in FILE_NAMES and getattr(feature, "dtype", "") in ("binary", "large_binary")


def _is_string(feature: object) -> bool:
    return getattr(feature, "dtype", "") in ("string", "large_string")
