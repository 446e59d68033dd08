"""Datasets of the hub: fetched once, clip by clip, into a folder of the guide's layout.

Recordings are written as the bytes they are. A fetch that was cut off goes on behind its last clip, and so does one
that is asked for more hours.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from pathlib import Path

import soundfile
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from spaces.cli import OnProgress
from trainable.dataset.listing import Listing
from trainable.dataset.loading.guide import METADATA, read_guide
from trainable.dataset.loading.hub_rows import SPLIT, HubLibrary, open_rows, the_library
from trainable.dataset.source import Source
from trainable.dataset.user_files import is_file, is_unicode, printable
from trainable.files.atomic import write_text

MARKER = "fetched.json"
ENDINGS = {"WAV": ".wav", "WAVEX": ".wav", "RF64": ".wav", "FLAC": ".flac", "OGG": ".ogg", "MP3": ".mp3"}
"""By what libsndfile says the bytes are: the name that a dataset gives them is never used."""


class Fetched(BaseModel):
    """How far a fetch has come. On disk as `fetched.json`, written last."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    rows: int = 0
    """Of the split, from its first on."""
    seconds: float = 0.0
    """Of all clips."""
    skipped: int = 0
    """Rows without a transcript or a readable recording."""
    exhausted: bool = False
    """Whether the split has no more rows."""
    partial: bool = False
    """Whether the hub's conversion has only the first part of the split."""

    def has(self, hours: float | None) -> bool:
        return self.exhausted or (hours is not None and self.seconds >= hours * 3600)


def read_hub(source: Source, cache: Path, on_progress: OnProgress, library: HubLibrary | None = None) -> Listing:
    """Lists a source of the hub, after fetching what is lacking of it.

    Raises InputError where the hub gives nothing, and where it ceases to; what was fetched then stays.
    """
    folder = cache / "hub" / folder_name(source)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        fetched = _fetch(source, folder, on_progress, library)
        listing = read_guide(folder, [(folder / METADATA, False)], Source(path=folder))
    if fetched.skipped:
        message = f"{fetched.skipped} of {fetched.rows} rows have no transcript or no readable recording; not used"
        listing.warning("hub-rows", printable(source), message)
    if fetched.partial:
        listing.warning("hub-partial", printable(source), "the hub converted only the first part of this split")
    return listing


def folder_name(source: Source) -> str:
    """Readable, and different for whatever gives other clips."""
    place = source.id or str(source.path)
    wanted = [place, source.config, source.split or SPLIT, source.audio, source.text, source.speaker]
    digest = hashlib.sha256(json.dumps(wanted).encode()).hexdigest()
    readable = re.sub(r"[^\w-]+", "-", "-".join(filter(None, [source.name, source.config, source.split or SPLIT])))
    return f"{readable[:60]}-{digest[:12]}"


def _fetch(source: Source, folder: Path, on_progress: OnProgress, library: HubLibrary | None) -> Fetched:
    state = _resume(source, folder)
    if state.has(source.hours):
        return state
    opened = open_rows(source, state.rows, library or the_library())
    rows, seconds, skipped = state.rows, state.seconds, state.skipped
    exhausted = True
    with (folder / METADATA).open("a", encoding="utf-8") as metadata:
        for row in opened.rows:
            text = (row.text or "").strip()
            header = _header(row.audio) if text and is_unicode(text) else None
            if header is None:
                skipped += 1
            else:
                name = f"{rows:07d}{header[0]}"
                (folder / name).write_bytes(row.audio)
                seconds += header[1]
                line = {"audio_filepath": name, "text": text, "row": rows, "seconds": header[1], "skipped": skipped}
                speaker = {"speaker": row.speaker} if row.speaker and is_unicode(row.speaker) else {}
                metadata.write(json.dumps(line | speaker, ensure_ascii=False) + "\n")
                metadata.flush()
            rows += 1
            on_progress(f"fetching {source.name}", rows, 0)
            if source.hours is not None and seconds >= source.hours * 3600:
                exhausted = False
                break
    state = Fetched(
        source=source.name,
        rows=rows,
        seconds=seconds,
        skipped=skipped,
        exhausted=exhausted,
        partial=opened.partial,
    )
    write_text(folder / MARKER, state.model_dump_json(indent=1))
    return state


def _resume(source: Source, folder: Path) -> Fetched:
    """What the folder says of itself: its marker, or behind that the last whole line of its metadata.

    Cuts off a line that was being written when the fetch ended.
    """
    try:
        state = Fetched.model_validate_json((folder / MARKER).read_bytes())
    except (OSError, ValidationError):
        state = Fetched(source=source.name)
    metadata = folder / METADATA
    if not is_file(metadata):
        return Fetched(source=source.name)
    whole, seconds, rows, skipped = 0, 0.0, 0, 0
    with metadata.open("rb") as file:
        for line in file:
            try:
                row = json.loads(line)
                known = int(row["row"]), float(row["seconds"]), int(row["skipped"])
            except (ValueError, TypeError, KeyError):
                break
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            rows, seconds, skipped = known[0] + 1, seconds + known[1], known[2]
    if whole < metadata.stat().st_size:
        os.truncate(metadata, whole)
    if state.rows >= rows and abs(state.seconds - seconds) < 1e-6 * max(1.0, seconds):
        return state
    return Fetched(source=source.name, rows=rows, seconds=seconds, skipped=skipped, partial=state.partial)


def _header(audio: bytes | None) -> tuple[str, float] | None:
    """Ending and seconds of a recording; None for what libsndfile does not read."""
    if audio is None:
        return None
    try:
        info = soundfile.info(io.BytesIO(audio))
    except (soundfile.SoundFileError, RuntimeError, OSError, TypeError, ValueError):
        return None
    if info.frames <= 0 or info.samplerate <= 0:
        return None
    return ENDINGS.get(info.format, f".{info.format.lower()}"), info.frames / info.samplerate
