"""Where clips come from: one `--data` of the command line, parsed."""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from pathlib import Path

from spaces.errors import InputError
from spaces.frozen_model import FrozenModel

HUB = "hf:"
LIST_SUFFIXES = (".jsonl", ".csv")
"""A path with one of these suffixes is a list of clips; any other path is a folder."""
SYNTAX = "PATH or hf:ID[:config][:split], then any of ,weight= ,text= ,audio= ,speaker= ,hours="
SPLITS = ("train", "validation", "valid", "val", "dev", "test")
"""A single word after a hub's ID is a split if it is one of these, else a config."""

_OPTION = re.compile(r"([A-Za-z_-]+)=([^/]*)")
_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_NUMBERS = ("weight", "hours")
_COLUMNS = ("text", "audio", "speaker")


class Source(FrozenModel):
    """A folder, a file or a split of a hub's dataset. A ledger keeps its `str`, which parses to an equal source.

    Only `Source.parse` checks its input.
    """

    path: Path | None = None
    """Absolute path of a local folder or file. With `hub`, a local folder that `datasets` reads."""
    hub: bool = False
    """Whether `datasets` reads it."""
    id: str | None = None
    """On the hub: `owner/name`."""
    config: str | None = None
    split: str | None = None
    weight: float = 1.0
    """How often an epoch passes over its clips."""
    text: str | None = None
    """The column or key that holds the transcripts; None to find it."""
    audio: str | None = None
    speaker: str | None = None
    hours: float | None = None
    """Only its first clips, up to so many hours; None for all."""

    @classmethod
    def parse(cls, text: str) -> Source:
        """Parses `PATH` or `hf:ID[:config][:split]`, followed by options separated by commas.

        Only `word=value` without a slash at the end is an option; other commas belong to the path. Raises InputError
        that says what was expected.
        """
        source = cls._parse(text)
        if cls._parse(str(source)) != source:
            raise InputError(f"--data {_escaped(text)}: this path looks like an option; rename it")
        return source

    @classmethod
    def _parse(cls, text: str) -> Source:
        if _has_odd_characters(text):
            raise InputError(f"--data {_escaped(text)}: holds control characters or invalid UTF-8; rename it")
        location, options = _separate_options(text)
        if not location.strip():
            raise InputError(f"--data {_escaped(text)}: expected {SYNTAX}")
        if re.match(r"https?://|hf://", location):
            raise InputError(f"--data {_escaped(text)}: expected {SYNTAX}; an address is not read, write hf:OWNER/NAME")
        if location.startswith(HUB):
            return cls(**_hub_fields(location.removeprefix(HUB), text), **options)
        return cls(path=_absolute(location), **options)

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
        """Short name for messages and runs: the folder's name, or the last part of a hub's ID."""
        if self.id is not None:
            return self.id.rpartition("/")[2]
        assert self.path is not None
        folder = self.path.parent if self.path.suffix.lower() in LIST_SUFFIXES else self.path
        return folder.name or "data"


def _separate_options(text: str) -> tuple[str, dict[str, str | float]]:
    """The path or ID, and the options after it."""
    location, options = text, {}
    while True:
        before, comma, last = location.rpartition(",")
        match = _OPTION.fullmatch(last.strip())
        if not comma or match is None:
            return location, options
        key, value = match[1], match[2].strip()
        if key not in (*_NUMBERS, *_COLUMNS):
            near = difflib.get_close_matches(key, (*_NUMBERS, *_COLUMNS), n=1)
            hint = f"did you mean {near[0]}=?" if near else "expected weight=, text=, audio=, speaker= or hours="
            raise InputError(f"--data {_escaped(text)}: {key}= is not an option; {hint}")
        if key in options:
            raise InputError(f"--data {_escaped(text)}: {key}= is given twice; keep one")
        if not value:
            raise InputError(f"--data {_escaped(text)}: {key}= is empty; write its value, or leave it out")
        options[key] = _positive(key, value, text) if key in _NUMBERS else value
        location = before


def _positive(key: str, value: str, text: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise InputError(f"--data {_escaped(text)}: {key}= expected a number above 0, got {value}")
    return number


def _hub_fields(location: str, text: str) -> dict[str, object]:
    if "[" in location:
        raise InputError(f"--data {_escaped(text)}: a split is read whole; ,hours= takes its first hours")
    if location.startswith(("/", "./", "../", "~")) or location in (".", ".."):
        # Colons separate config and split from a folder, too.
        where, *rest = location.split(":")
        path, named = _absolute(where), {}
        if ":" in str(path):
            raise InputError(f"--data {_escaped(text)}: {path} has a colon in its name; rename it")
        fields: dict[str, object] = {"hub": True, "path": path}
    else:
        named, *rest = location.split(":")
        if not _ID.fullmatch(named):
            raise InputError(f"--data {_escaped(text)}: expected hf:OWNER/NAME, or hf:./FOLDER for a local folder")
        fields = {"hub": True, "id": named}
    if len(rest) > 2:
        raise InputError(f"--data {_escaped(text)}: expected hf:ID[:config][:split], got {len(rest)} parts after ID")
    config, split = ("", *rest) if len(rest) == 1 and rest[0] in SPLITS else (*rest, "", "")[:2]
    return {**fields, "config": config or None, "split": split or None}


def _absolute(location: str) -> Path:
    path = Path(location).expanduser() if location == "~" or location.startswith("~/") else Path(location)
    return path.resolve() if ".." in path.parts else path.absolute()


def _has_odd_characters(text: str) -> bool:
    """Whether it holds control characters, or bytes of a command line that are not UTF-8."""
    return any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def _escaped(text: str) -> str:
    return ascii(text) if _has_odd_characters(text) or not text.strip() else text
