"""Recordings of the speaker to compare with: the reference clip, and clips of texts that the probe speaks."""

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
    """Paths of recordings of the speaker."""

    reference: Path | None = None
    """The reference clip."""
    text: str = ""
    """Transcript of the reference clip; empty where it is unknown."""
    clips: dict[str, Path] = field(default_factory=dict)
    """Clips by transcript."""
    problem: str | None = None
    """Why there are no recordings."""


def find_recordings(history: History, texts: Iterable[str]) -> VoiceRecordings:
    """Finds the reference clip, and the clips with one of these texts, in the dataset of the search."""
    search = history.search
    if search is None:
        return VoiceRecordings(problem="the ledger does not name the data of the search")
    try:
        dataset = load_dataset([Source.parse(text) for text in search.data], search.auto_reference, cache_folder())
    except (InputError, OSError) as error:
        return VoiceRecordings(problem=f"the data of the search cannot be read: {str(error).splitlines()[0]}")
    wanted = set(texts)
    clips = {clip.text: clip.audio for clip in reversed(dataset.clips) if clip.text in wanted}
    reference = dataset.speakers[0].reference
    return VoiceRecordings(reference.audio, reference.text, clips)
