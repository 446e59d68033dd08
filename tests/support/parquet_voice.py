"""Small datasets as the hub stores them: Parquet, with the features of `datasets` in its metadata."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from tests.support.voices import tone
from trainable.dataset.loading.hub import read_hub
from trainable.dataset.loading.hub_rows import HubLibrary
from trainable.dataset.source import Source
from trainable.speech.audio import SAMPLE_RATE

AUDIO = {"_type": "Audio"}
STRING = {"dtype": "string", "_type": "Value"}

NO_LIBRARY = HubLibrary(lambda *args, **named: pytest.fail("asked datasets"), lambda name: pytest.fail("asked the hub"))


def audio_bytes(seconds: float = 1.0, hertz: float = 200.0, form: str = "FLAC") -> bytes:
    held = io.BytesIO()
    soundfile.write(held, tone(seconds, hertz), SAMPLE_RATE, format=form)
    return held.getvalue()


def write_split(path: Path, columns: dict[str, list], features: dict[str, dict]) -> Path:
    """`features` in the form of the hub; other columns have their Arrow type."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path)
    return path


def make_hub_voice(folder: Path, clips: int = 6, split: str = "train", **columns: list) -> Path:
    """Clips of 1, 2, 3, … seconds with the text `clip 0`, `clip 1`, …; `columns` are added or replace these."""
    rows = {
        "audio": [{"bytes": audio_bytes(1.0 + place), "path": f"../../{place}.mp3"} for place in range(clips)],
        "text": [f"clip {place}" for place in range(clips)],
    } | columns
    features = {name: AUDIO if name == "audio" else STRING for name in rows}
    write_split(folder / "data" / f"{split}-00000-of-00001.parquet", rows, features)
    return folder


def source(folder: Path, options: str = "") -> Source:
    return Source.parse(f"hf:{folder}{options}")


def fetch(what: Source, cache: Path, library: HubLibrary | None = None) -> list[str]:
    """The transcripts of all fetched clips."""
    return [row.text for row in read_hub(what, cache, lambda doing, done, of: None, library).rows]
