"""JSONL files whose lines name a clip each: what the guide's layout and Qwen's have in common."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainable.dataset.formatting import excerpt, printable
from trainable.dataset.listing import Listing, ListingRow
from trainable.dataset.loading.source_files import check_text, find_audio, read_text
from trainable.dataset.source import Source
from trainable.dataset.user_files import is_unicode, lines_of

CODE_GROUPS = 16
"""Codes per frame of the 12 Hz codec."""
MAX_CODE = 2**31 - 1
HELD_OUT_NAMES = ("val", "valid", "validation")


@dataclass(frozen=True)
class Keys:
    """The keys of a line's recording, transcript and speaker."""

    audio: str
    text: str = "text"
    speaker: str = "speaker"

    @classmethod
    def of(cls, source: Source, audio: str) -> Keys:
        """The keys that the source's options name; `audio` is the format's own key."""
        return cls(source.audio or audio, source.text or "text", source.speaker or "speaker")


def objects_in(text: str) -> Iterator[dict]:
    """The lines that are JSON objects; others are skipped."""
    for line in lines_of(text):
        with contextlib.suppress(ValueError):
            parsed = _parse(line)
            if isinstance(parsed, dict):
                yield parsed


def read_lines(metadata: Path, keys: Keys, listing: Listing, held_out: bool = False) -> None:
    """Adds a row for each line, or an error for each that cannot be used. Blank lines are skipped."""
    reader = _LineReader(metadata.parent, keys, listing, held_out)
    for number, line in enumerate(lines_of(read_text(metadata, listing)), start=1):
        if not line.strip():
            continue
        where = f"{printable(metadata)}:{number}"
        try:
            row = _parse(line)
        except ValueError as error:
            listing.error("not-json", where, str(error))
            continue
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in (keys.audio, keys.text)):
            expected = f"expected {keys.audio} and {keys.text}, both strings, got {excerpt(line.strip())}"
            listing.error("wrong-fields", where, f"{expected}; correct it, or name its keys: ,audio=KEY,text=KEY")
        else:
            reader.add(row, where)


def _parse(line: str) -> object:
    """Raises ValueError that says what is wrong with the line."""
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at character {error.colno}): {excerpt(line.strip())}") from None
    except (ValueError, RecursionError) as error:
        # A number of more than 4300 digits, or brackets nested too deeply.
        raise ValueError(f"not JSON that can be read ({type(error).__name__}): {excerpt(line.strip())}") from None


class _LineReader:
    """Adds the rows of one file to a listing, or errors for those that cannot be used."""

    def __init__(self, folder: Path, keys: Keys, listing: Listing, held_out: bool) -> None:
        self._folder, self._keys, self._listing, self._held_out = folder, keys, listing, held_out
        self._references: dict[str, Path | None] = {}

    def add(self, row: dict, where: str) -> None:
        keys, listing = self._keys, self._listing
        name, text = row[keys.audio], row[keys.text].strip()
        optional = {"speaker": keys.speaker, "language": "language", "ref_audio": "ref_audio", "ref_text": "ref_text"}
        values = {field: _string(row.get(key)) for field, key in optional.items()}
        wrong = [key for field, key in optional.items() if values[field] is None and row.get(key) is not None]
        if wrong:
            listing.error("wrong-fields", where, f"expected {' and '.join(wrong)} to be text; write it in quotes")
        audio = find_audio(name, where, listing, [self._folder])
        if audio is not None:
            listing.named.add(audio)
        has_text = check_text(text, name, where, listing)
        reference = values["ref_audio"]
        if reference and reference not in self._references:
            self._references[reference] = find_audio(reference, where, listing, [self._folder])
        if audio is None or not has_text or wrong:
            return
        listing.rows.append(
            ListingRow(
                audio=audio,
                text=text,
                where=where,
                speaker=(values["speaker"] or "").strip(),
                held_out=self._held_out or _is_held_out(audio, listing.folder),
                language=values["language"] or None,
                codes=_codes(row.get("audio_codes"), where, listing),
                ref_audio=self._references.get(reference or ""),
                ref_text=(values["ref_text"] or "").strip() or None,
            )
        )


def _is_held_out(path: Path, folder: Path) -> bool:
    """Whether the path lies in `val/` or the like of the folder."""
    return path.relative_to(folder).parent.parts[:1] in [(name,) for name in HELD_OUT_NAMES]


def _string(value: object) -> str | None:
    """A string, or a whole number as one (some datasets number their speakers); None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_CODE:
        return str(value)
    return value if isinstance(value, str) and is_unicode(value) else None


def _codes(value: object, where: str, listing: Listing) -> tuple[tuple[int, ...], ...] | None:
    """[frames][16]. Other values are ignored with a warning: audio is encoded anew, so nothing is lost."""
    if value is None:
        return None
    if isinstance(value, list) and value and all(_is_frame(frame) for frame in value):
        return tuple(tuple(frame) for frame in value)
    if not any(finding.check == "audio-codes" for finding in listing.findings):
        expected = f"expected a list of frames of {CODE_GROUPS} whole numbers each"
        message = f"audio_codes are ignored, here and perhaps in other lines; {expected}"
        listing.warning("audio-codes", where, message)
    return None


def _is_frame(frame: object) -> bool:
    return (
        isinstance(frame, list)
        and len(frame) == CODE_GROUPS
        and all(type(code) is int and 0 <= code <= MAX_CODE for code in frame)
    )
