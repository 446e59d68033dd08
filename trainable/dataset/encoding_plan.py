"""From a dataset to what is prepared: every item, and the part that each plays.

One recording as it is to be encoded.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from spaces.data_settings import AugmentationSettings, DataSettings
from trainable.dataset.clip import Clip, VoiceDataset
from trainable.dataset.split import ClipEntry, DatasetSplit, Role, assign_roles
from trainable.speech.audio import read_audio


class Change(BaseModel):
    """How a copy of a clip differs from it. Equal changes of equal recordings give equal samples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    speed: float
    """Tempo factor, the pitch kept."""
    semitones: float
    """Pitch, the tempo kept."""
    gain_db: float
    snr_db: float | None
    """White noise so far below the speech; None for none."""
    seed: int
    """Of the noise."""


@dataclass(frozen=True)
class EncodingItem:
    """A clip as it was recorded, or a changed copy of it."""

    clip: Clip
    change: Change | None = None

    @property
    def key(self) -> str:
        """SHA-256 over the recording's bytes and the change: equal keys, equal samples."""
        change = self.change.model_dump_json() if self.change else ""
        return hashlib.sha256(f"{self.clip.measures.sha256} {change}".encode()).hexdigest()

    def wave(self) -> np.ndarray:
        """[samples] float32, 24 kHz, mono. Raises InputError as `read_audio` does."""
        wave = read_audio(self.clip.audio)
        if self.change is None:
            return wave
        from trainable.dataset.augmentation import changed

        return changed(wave, self.change)


@dataclass(frozen=True)
class EncodingPlan:
    """What a family prepares: the items, an entry of the split for each, and a reference per speaker."""

    items: tuple[EncodingItem, ...]
    split: DatasetSplit
    references: tuple[Clip, ...]

    def fingerprint(self) -> str:
        """SHA-256 of everything that decides what prepared data holds, but the model."""
        parts = [item.key for item in self.items] + [each.measures.sha256 for each in self.references]
        return hashlib.sha256("\n".join([*parts, self.split.model_dump_json()]).encode()).hexdigest()


def plan_encoding(dataset: VoiceDataset, settings: DataSettings, seed: int) -> EncodingPlan:
    """A pure function of its arguments: two searches over the same data with one seed hold out the same clips."""
    roles = assign_roles(dataset.clips, settings, seed)
    items = [EncodingItem(clip) for clip in dataset.clips]
    entries = [
        ClipEntry(
            text=clip.text,
            seconds=clip.seconds,
            role=role,
            source=clip.source,
            speaker=dataset.speaker_of(clip),
        )
        for clip, role in zip(dataset.clips, roles, strict=True)
    ]
    if settings.augment is not None:
        _add_copies(items, entries, settings.augment, seed)
    split = DatasetSplit(
        entries=tuple(entries),
        weights=dataset.weights,
        speakers=tuple(speaker.name for speaker in dataset.speakers),
    )
    return EncodingPlan(tuple(items), split, tuple(speaker.reference for speaker in dataset.speakers))


def _add_copies(items: list[EncodingItem], entries: list[ClipEntry], augment: AugmentationSettings, seed: int) -> None:
    """Adds the changed copies of every training clip behind all clips."""
    for place in [place for place, entry in enumerate(entries) if entry.role is Role.TRAINING]:
        original = entries[place]
        copies = []
        for number in range(augment.copies):
            change = _drawn(augment, f"{seed}/{items[place].clip.measures.sha256}/{number}")
            copies.append(len(items))
            items.append(EncodingItem(items[place].clip, change))
            shorter = {"seconds": original.seconds / change.speed, "role": Role.COPY}
            entries.append(original.model_copy(update=shorter))
        entries[place] = original.model_copy(update={"copies": tuple(copies)})


def _drawn(augment: AugmentationSettings, seed: str) -> Change:
    """Rounded, so that its JSON says all of it."""
    chance = random.Random(seed)
    speed, semitones, gain = (
        round(chance.uniform(*pair), 3) for pair in (augment.speed, augment.semitones, augment.gain_db)
    )
    snr = round(chance.uniform(*augment.snr_db), 3) if augment.snr_db else None
    return Change(speed=speed, semitones=semitones, gain_db=gain, snr_db=snr, seed=chance.getrandbits(31))
