"""Where clips come from: one `--data` of a command line."""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from spaces.errors import InputError

HUB = "hf:"
FILES = (".jsonl", ".csv")
"""Endings of what is a list of clips itself; any other path is a folder."""
FORM = "PATH or hf:ID[:config][:split], then any of ,weight= ,text= ,audio= ,speaker= ,hours="
SPLITS = ("train", "validation", "valid", "val", "dev", "test")
"""What stands alone behind a hub's ID and is one of these is a split; anything else is a config."""

_OPTION = re.compile(r"([A-Za-z_-]+)=([^/]*)")
_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_NUMBERS = ("weight", "hours")
_COLUMNS = ("text", "audio", "speaker")


class Source(BaseModel):
    """A folder, a file or a split of a hub's dataset. `str` of it is what a ledger keeps: it parses to an equal source.

    `Source.parse` is how one is made; it is what refuses all that cannot be used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path | None = None
    """Absolute; of a local folder or file. With `hub`, of a local folder that `datasets` reads."""
    hub: bool = False
    """Whether `datasets` reads it."""
    id: str | None = None
    """On the hub: `owner/name`."""
    config: str | None = None
    split: str | None = None
    weight: float = 1.0
    """How often an epoch passes over its clips."""
    text: str | None = None
    """Name of the column, or key, that holds the transcripts; None to find it."""
    audio: str | None = None
    speaker: str | None = None
    hours: float | None = None
    """Its first clips, up to so many hours; None for all."""

    @classmethod
    def parse(cls, text: str) -> Source:
        """Reads `PATH` or `hf:ID[:config][:split]` with options behind it, parted by commas.

        Only what stands at the end and reads `word=value` without a slash is an option, so other commas belong to the
        path. Raises InputError, which says what was expected.
        """
        source = cls._parse(text)
        if cls._parse(str(source)) != source:
            raise InputError(f"--data {_shown(text)}: this path reads like an option; rename it")
        return source

    @classmethod
    def _parse(cls, text: str) -> Source:
        if _unspeakable(text):
            raise InputError(f"--data {_shown(text)}: holds characters that no path or name should; rename it")
        place, options = _cut_off_options(text)
        if not place.strip():
            raise InputError(f"--data {_shown(text)}: expected {FORM}")
        if re.match(r"https?://|hf://", place):
            raise InputError(f"--data {_shown(text)}: expected {FORM}; an address is not read, write hf:OWNER/NAME")
        if place.startswith(HUB):
            return cls(**_hub_fields(place.removeprefix(HUB), text), **options)
        return cls(path=_absolute(place), **options)

    def __str__(self) -> str:
        options = "".join(f",{key}={getattr(self, key)}" for key in _COLUMNS if getattr(self, key) is not None)
        numbers = f",weight={self.weight!r}" if self.weight != 1.0 else ""
        numbers += f",hours={self.hours!r}" if self.hours is not None else ""
        if not self.hub:
            return f"{self.path}{options}{numbers}"
        parts = f":{self.config or ''}:{self.split or ''}" if self.config or self.split else ""
        return f"{HUB}{self.id or self.path}{parts}{options}{numbers}"

    @property
    def name(self) -> str:
        """Short, for messages and the names of runs: the folder's name, or the last part of a hub's ID."""
        if self.id is not None:
            return self.id.rpartition("/")[2]
        assert self.path is not None
        folder = self.path.parent if self.path.suffix.lower() in FILES else self.path
        return folder.name or "data"


def _cut_off_options(text: str) -> tuple[str, dict[str, str | float]]:
    """The place, and the options that stand behind it."""
    place, options = text, {}
    while True:
        before, comma, last = place.rpartition(",")
        match = _OPTION.fullmatch(last.strip())
        if not comma or match is None:
            return place, options
        key, value = match[1], match[2].strip()
        if key not in (*_NUMBERS, *_COLUMNS):
            near = difflib.get_close_matches(key, (*_NUMBERS, *_COLUMNS), n=1)
            hint = f"did you mean {near[0]}=?" if near else "expected weight=, text=, audio=, speaker= or hours="
            raise InputError(f"--data {_shown(text)}: {key}= is no option; {hint}")
        if key in options:
            raise InputError(f"--data {_shown(text)}: {key}= is given twice; keep one")
        if not value:
            raise InputError(f"--data {_shown(text)}: {key}= is empty; write its value, or leave it out")
        options[key] = _positive(key, value, text) if key in _NUMBERS else value
        place = before


def _positive(key: str, value: str, text: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise InputError(f"--data {_shown(text)}: {key}= expected a number above 0, got {value}")
    return number


def _hub_fields(place: str, text: str) -> dict[str, object]:
    if "[" in place:
        raise InputError(f"--data {_shown(text)}: a split is read whole; ,hours= takes its first hours")
    if place.startswith(("/", "./", "../", "~")) or place in (".", ".."):
        # A colon parts config and split from a folder, too.
        where, *rest = place.split(":")
        path, named = _absolute(where), {}
        if ":" in str(path):
            raise InputError(f"--data {_shown(text)}: {path} has a colon in its name; rename it")
        fields: dict[str, object] = {"hub": True, "path": path}
    else:
        named, *rest = place.split(":")
        if not _ID.fullmatch(named):
            raise InputError(f"--data {_shown(text)}: expected hf:OWNER/NAME, or hf:./FOLDER for a local folder")
        fields = {"hub": True, "id": named}
    if len(rest) > 2:
        raise InputError(f"--data {_shown(text)}: expected hf:ID[:config][:split], got {len(rest)} parts behind the ID")
    config, split = ("", *rest) if len(rest) == 1 and rest[0] in SPLITS else (*rest, "", "")[:2]
    return {**fields, "config": config or None, "split": split or None}


def _absolute(place: str) -> Path:
    path = Path(place).expanduser() if place == "~" or place.startswith("~/") else Path(place)
    return path.resolve() if ".." in path.parts else path.absolute()


def _unspeakable(text: str) -> bool:
    """Control characters, and bytes of a command line that are not UTF-8."""
    return any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def _shown(text: str) -> str:
    return ascii(text) if _unspeakable(text) or not text.strip() else text
