"""The nouns of a voice dataset: clips, speakers, and what was measured of each recording."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class ClipMeasures(BaseModel):
    """One recording, measured as it lies on disk: before resampling, channels averaged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    """Of the file's bytes."""
    rate: int
    """Hz."""
    channels: int
    seconds: float
    rms_dbfs: float
    clipped_share: float
    """Share of samples at 0.985 or more."""
    dc: float
    """Mean of all samples."""
    speech_share: float
    """Share of 20 ms windows within 30 dB of the loudest twentieth of them."""
    noise_dbfs: float
    """Level of the quietest tenth of the windows."""
    longest_pause: float
    """Seconds of the longest stretch without speech, ends included."""
    bandwidth: float
    """Hz below which 99.9 % of the energy lies, every window of speech counting alike: near 4000 for what once was a
    telephone recording, whatever its rate."""


@dataclass(frozen=True)
class Clip:
    """One recording and what is said in it."""

    audio: Path
    text: str
    measures: ClipMeasures
    where: str
    """The line or file that names it, for messages: `metadata.jsonl:4`."""
    speaker: str = ""
    """Name of its speaker within its source; empty where a source has only one."""
    source: int = 0
    """Which of the dataset's sources it is from."""
    held_out: bool = False
    """Whether its source keeps it out of training: it lies in `val/`, or in a hub's validation split."""
    language: str | None = None
    """As its source says; None where it says nothing."""
    codes: tuple[tuple[int, ...], ...] | None = None
    """[frames][16] as its source brings them. They are checked, never trained on: audio is encoded anew."""

    @property
    def seconds(self) -> float:
        return self.measures.seconds


@dataclass(frozen=True)
class Speaker:
    """Somebody who speaks in a dataset, and the recording that says how."""

    name: str
    source: int
    reference: Clip


@dataclass(frozen=True)
class VoiceDataset:
    """Clips in the order of their sources, every one readable. The first speaker is the voice that a search probes."""

    names: tuple[str, ...]
    """Of the sources, as they were given."""
    weights: tuple[float, ...]
    """Of the sources: how often an epoch passes over each."""
    clips: tuple[Clip, ...]
    speakers: tuple[Speaker, ...]

    @property
    def seconds(self) -> float:
        return sum(clip.seconds for clip in self.clips)

    def speaker_of(self, clip: Clip) -> int:
        """The place of a clip's speaker among the speakers. Raises ValueError for a clip of another dataset."""
        return [(speaker.source, speaker.name) for speaker in self.speakers].index((clip.source, clip.speaker))

    def fingerprint(self) -> str:
        """SHA-256 over every transcript, speaker, weight and byte of audio; equal data, equal fingerprint."""
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
