"""The voice's own recordings that a search is compared with: its reference, and clips of texts that are spoken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from results.run.ledger import History
from spaces.errors import InputError
from trainable.dataset.loading.load import load_dataset
from trainable.dataset.source import Source
from trainable.files.cache import cache_folder


@dataclass(frozen=True)
class VoiceRecordings:
    """Where they lie."""

    reference: Path | None = None
    """Of the voice that is searched for."""
    text: str = ""
    """What is said in it; empty where nobody wrote that down."""
    clips: dict[str, Path] = field(default_factory=dict)
    """By transcript."""
    problem: str | None = None
    """Why there are none."""


def find_recordings(history: History, texts: Iterable[str]) -> VoiceRecordings:
    """Finds the reference, and the clips that say one of these texts, in the data that the search was started with."""
    search = history.search
    if search is None:
        return VoiceRecordings(problem="the ledger does not say with which data the search was started")
    try:
        dataset = load_dataset([Source.parse(text) for text in search.data], search.auto_reference, cache_folder())
    except (InputError, OSError) as error:
        return VoiceRecordings(problem=f"the data of the search cannot be read: {str(error).splitlines()[0]}")
    wanted = set(texts)
    clips = {clip.text: clip.audio for clip in reversed(dataset.clips) if clip.text in wanted}
    reference = dataset.speakers[0].reference
    return VoiceRecordings(reference.audio, reference.text, clips)
