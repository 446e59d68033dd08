"""Writes datasets to disk in any layout, and opens them."""

from __future__ import annotations

import json
from pathlib import Path

import soundfile

from tests.support.voices import tone
from trainable.dataset.clip import VoiceDataset
from trainable.dataset.finding import Finding
from trainable.dataset.loading.load import open_dataset
from trainable.dataset.source import Source
from trainable.speech.audio import SAMPLE_RATE


def record(path: Path, seconds: float = 1.0, hertz: float = 200.0, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(seconds, hertz), SAMPLE_RATE, **options)
    return path


def write_rows(path: Path, *rows: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def add_reference(folder: Path) -> None:
    record(folder / "ref.wav", 10.0)
    (folder / "ref_text.txt").write_text("the words of the reference")


def look(*places: Path | str, auto_reference: bool = False) -> tuple[VoiceDataset | None, list[Finding]]:
    """Opens sources as one dataset; the cache is beside the first."""
    sources = [Source.parse(str(place)) for place in places]
    return open_dataset(sources, auto_reference, sources[0].path.parent / "cache")


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding
