"""Finds the columns of a hub's dataset that hold the recordings, their transcripts and their speakers."""

from collections.abc import Mapping
from dataclasses import dataclass

from spaces.errors import InputError
from trainable.dataset.formatting import printable
from trainable.dataset.source import Source

TEXT_NAMES = ("text", "sentence", "transcription", "transcript", "normalized_text", "raw_text")
SPEAKER_NAMES = ("speaker", "speaker_id", "client_id")
FILE_NAMES = ("audio", "file")
"""Columns with these names hold recordings where their type is plain bytes."""


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
    """The columns that the source names, else those that fit by type and name.

    `features`: the features of `datasets`, by column. Raises InputError that names the existing columns and the option
    to type, where no column fits or several do.
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
    existing = ", ".join(printable(name) for name in features) or "none"
    if asked is not None:
        if asked not in features:
            raise InputError(f"{source}: no column {asked}; there are {existing}")
        return asked
    if len(found) == 1:
        return found[0]
    problem = f"{', '.join(map(printable, found))} could each be" if found else "no column is plainly"
    example = printable(found[0]) if found else "COLUMN"
    raise InputError(f"{source}: {problem} the {what}; the columns are {existing}: add ,{what}={example}")


def _holds_audio(name: str, feature: object) -> bool:
    """Whether it is an `Audio`, the bytes and path that `datasets` stores for one, or plain bytes with a known name."""
    if type(feature).__name__ == "Audio":
        return True
    if isinstance(feature, Mapping):
        return "bytes" in feature and "path" in feature and name.lower() in FILE_NAMES
    return name.lower() in FILE_NAMES and getattr(feature, "dtype", "") in ("binary", "large_binary")


def _is_string(feature: object) -> bool:
    return getattr(feature, "dtype", "") in ("string", "large_string")
