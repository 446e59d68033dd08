"""Fetches datasets of the hub once, clip by clip, into a folder of the guide's layout.

Recordings are written unchanged. An interrupted fetch continues after its last clip, and so does one for more hours.
"""

import hashlib
import io
import json
import os
import re
from pathlib import Path

import soundfile
from filelock import FileLock
from pydantic import ValidationError

from spaces.cli import OnProgress
from spaces.frozen_model import FrozenModel
from trainable.dataset.formatting import printable
from trainable.dataset.listing import Listing
from trainable.dataset.loading.guide import METADATA, read_guide
from trainable.dataset.loading.hub_rows import SPLIT, HubLibrary, hub_library, open_rows
from trainable.dataset.source import Source
from trainable.dataset.user_files import is_file, is_unicode
from trainable.files.atomic import write_text

MARKER = "fetched.json"
SUFFIXES = {"WAV": ".wav", "WAVEX": ".wav", "RF64": ".wav", "FLAC": ".flac", "OGG": ".ogg", "MP3": ".mp3"}
"""File suffix by libsndfile's format. The file name in the dataset is never used."""


class FetchState(FrozenModel):
    """How far a fetch has come. Written last, as `fetched.json`."""

    source: str
    rows: int = 0
    """Read from the start of the split."""
    seconds: float = 0.0
    """Of all clips."""
    skipped: int = 0
    """Rows without a transcript or a readable recording."""
    exhausted: bool = False
    """Whether the split has no more rows."""
    partial: bool = False
    """Whether the hub's conversion has only the first part of the split."""

    def is_complete(self, hours: float | None) -> bool:
        return self.exhausted or (hours is not None and self.seconds >= hours * 3600)


def read_hub(source: Source, cache: Path, on_progress: OnProgress, library: HubLibrary | None = None) -> Listing:
    """Fetches what is missing of a hub's source, and lists it.

    Raises InputError where the hub gives nothing or stops; what was fetched by then is kept.
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
        listing.warning(
            "hub-partial",
            printable(source),
            "the hub converted only the first part of this split; the rest is not used",
        )
    return listing


def folder_name(source: Source) -> str:
    """Readable, and different for sources with different clips."""
    location = source.id or str(source.path)
    identity = [location, source.config, source.split or SPLIT, source.audio, source.text, source.speaker]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    readable = re.sub(r"[^\w-]+", "-", "-".join(filter(None, [source.name, source.config, source.split or SPLIT])))
    return f"{readable[:60]}-{digest[:12]}"


def _fetch(source: Source, folder: Path, on_progress: OnProgress, library: HubLibrary | None) -> FetchState:
    state = _resume(source, folder)
    if state.is_complete(source.hours):
        return state
    opened = open_rows(source, state.rows, library or hub_library())
    rows, seconds, skipped = state.rows, state.seconds, state.skipped
    exhausted = True
    with (folder / METADATA).open("a", encoding="utf-8") as metadata:
        for row in opened.rows:
            text = (row.text or "").strip()
            found = _identify(row.audio) if text and is_unicode(text) else None
            if found is None:
                skipped += 1
            else:
                suffix, duration = found
                name = f"{rows:07d}{suffix}"
                (folder / name).write_bytes(row.audio)
                seconds += duration
                line = {"audio_filepath": name, "text": text, "row": rows, "seconds": duration, "skipped": skipped}
                speaker = {"speaker": row.speaker} if row.speaker and is_unicode(row.speaker) else {}
                metadata.write(json.dumps(line | speaker, ensure_ascii=False) + "\n")
                metadata.flush()
            rows += 1
            on_progress(f"fetching {source.name}", rows, 0)
            if source.hours is not None and seconds >= source.hours * 3600:
                exhausted = False
                break
    state = FetchState(
        source=source.name,
        rows=rows,
        seconds=seconds,
        skipped=skipped,
        exhausted=exhausted,
        partial=opened.partial,
    )
    write_text(folder / MARKER, state.model_dump_json(indent=1))
    return state


def _resume(source: Source, folder: Path) -> FetchState:
    """The state of the folder: its marker, or the last whole line of its metadata where that is further.

    Truncates a line that was being written when the fetch ended.
    """
    try:
        state = FetchState.model_validate_json((folder / MARKER).read_bytes())
    except (OSError, ValidationError):
        state = FetchState(source=source.name)
    metadata = folder / METADATA
    if not is_file(metadata):
        return FetchState(source=source.name)
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
    return FetchState(source=source.name, rows=rows, seconds=seconds, skipped=skipped, partial=state.partial)


def _identify(audio: bytes | None) -> tuple[str, float] | None:
    """File suffix and seconds of a recording; None for bytes that libsndfile cannot read."""
    if audio is None:
        return None
    try:
        info = soundfile.info(io.BytesIO(audio))
    except (soundfile.SoundFileError, RuntimeError, OSError, TypeError, ValueError):
        return None
    if info.frames <= 0 or info.samplerate <= 0:
        return None
    return SUFFIXES.get(info.format, f".{info.format.lower()}"), info.frames / info.samplerate
