"""A voice dataset as data: clips, their measures, their speakers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spaces.frozen_model import FrozenModel
from trainable.speech.tempo import letters


class ClipMeasures(FrozenModel):
    """Measures of one recording as it is on disk: before resampling, channels averaged."""

    sha256: str
    """Of the file's bytes."""
    rate: int
    """Hz."""
    channels: int
    seconds: float
    rms_dbfs: float
    clipped_share: float
    """Share of samples at 0.985 of full scale or more."""
    dc: float
    """Mean of all samples."""
    speech_share: float
    """Share of 20 ms windows within 30 dB of the loudest twentieth of them."""
    noise_dbfs: float
    """Level of the quietest tenth of the windows."""
    longest_pause: float
    """Seconds of the longest stretch without speech, ends included."""
    bandwidth: float
    """Hz below which 99.9 % of the energy lies, all windows of speech weighted equally. Near 4000 for a recording that
    was once sent over a telephone, whatever its rate is now."""


@dataclass(frozen=True)
class Clip:
    """One recording and its transcript."""

    audio: Path
    text: str
    measures: ClipMeasures
    where: str
    """The line or file that names it, for messages: `metadata.jsonl:4`."""
    speaker: str = ""
    """Name within its source; empty where the source has one speaker only."""
    source: int = 0
    """Index of its source in the dataset."""
    held_out: bool = False
    """Whether its source keeps it out of training: it lies in `val/`, or in a validation split of the hub."""
    language: str | None = None
    """As the source says; None where it says nothing."""
    codes: tuple[tuple[int, ...], ...] | None = None
    """[frames][16] as the source brings them. They are checked but never trained on: audio is encoded anew."""

    @property
    def seconds(self) -> float:
        return self.measures.seconds

    @property
    def characters_per_second(self) -> float:
        """Letters and digits of the transcript per second of the recording; 0 for an empty recording."""
        return letters(self.text) / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Speaker:
    """A speaker of a dataset, and the reference recording of the voice."""

    name: str
    source: int
    reference: Clip


@dataclass(frozen=True)
class VoiceDataset:
    """Readable clips in the order of their sources. The first speaker is the voice that a search probes."""

    names: tuple[str, ...]
    """Of the sources, as they were given."""
    weights: tuple[float, ...]
    """Of the sources: how often an epoch passes over each."""
    clips: tuple[Clip, ...]
    speakers: tuple[Speaker, ...]

    @property
    def seconds(self) -> float:
        return sum(clip.seconds for clip in self.clips)

    def speaker_index(self, clip: Clip) -> int:
        """Index of the clip's speaker in `speakers`. Raises ValueError for a clip of another dataset."""
        return [(speaker.source, speaker.name) for speaker in self.speakers].index((clip.source, clip.speaker))

    def fingerprint(self) -> str:
        """SHA-256 over every transcript, speaker, weight and byte of audio: equal data has equal fingerprints."""
        digest = hashlib.sha256()
        for parts in self._parts():
            digest.update("\0".join(parts).encode() + b"\n")
        return digest.hexdigest()

    def _parts(self) -> Sequence[Sequence[str]]:
        clips = [
            (clip.text, clip.measures.sha256, clip.speaker, str(clip.source), str(clip.held_out)) for clip in self.clips
        ]
        references = [(each.name, each.reference.text, each.reference.measures.sha256) for each in self.speakers]
        return [*clips, *references, [str(weight) for weight in self.weights]]
