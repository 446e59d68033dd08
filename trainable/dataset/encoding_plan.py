"""From a dataset to a plan of what a family encodes: every clip and every augmented copy, and the split they form."""

import hashlib
import random
from dataclasses import dataclass

import numpy as np

from spaces.data_settings import AugmentationSettings, DataSettings
from spaces.frozen_model import FrozenModel
from trainable.dataset.clip import Clip, VoiceDataset
from trainable.dataset.split import ClipEntry, DatasetSplit, Role, assign_roles
from trainable.speech.audio import read_audio


class Augmentation(FrozenModel):
    """How a copy of a clip differs from it. Equal augmentations of equal recordings give equal samples."""

    speed: float
    """Tempo factor; the pitch is kept."""
    semitones: float
    """Pitch shift; the tempo is kept."""
    gain_db: float
    snr_db: float | None
    """Level of the speech over white noise; None for no noise."""
    seed: int
    """Of the noise."""


@dataclass(frozen=True)
class EncodingItem:
    """A clip as it was recorded, or an augmented copy of it."""

    clip: Clip
    augmentation: Augmentation | None = None

    @property
    def key(self) -> str:
        """SHA-256 over the recording's bytes and the augmentation: equal keys, equal samples."""
        augmentation = self.augmentation.model_dump_json() if self.augmentation else ""
        return hashlib.sha256(f"{self.clip.measures.sha256} {augmentation}".encode()).hexdigest()

    def wave(self) -> np.ndarray:
        """[samples] float32, 24 kHz, mono. Raises InputError as `read_audio` does."""
        wave = read_audio(self.clip.audio)
        if self.augmentation is None:
            return wave
        from trainable.dataset.augmentation import augment

        return augment(wave, self.augmentation)


@dataclass(frozen=True)
class EncodingPlan:
    """What a family prepares: the items, their entries in the split in the same order, and a reference per speaker."""

    items: tuple[EncodingItem, ...]
    split: DatasetSplit
    references: tuple[Clip, ...]

    def fingerprint(self) -> str:
        """SHA-256 of everything that decides what prepared data holds, except the model."""
        parts = [item.key for item in self.items] + [each.measures.sha256 for each in self.references]
        return hashlib.sha256("\n".join([*parts, self.split.model_dump_json()]).encode()).hexdigest()


def plan_encoding(dataset: VoiceDataset, settings: DataSettings, seed: int) -> EncodingPlan:
    """A pure function of its arguments: two searches over the same data with one seed hold out the same clips.

    Raises InputError when no clip is left to train on.
    """
    roles = assign_roles(dataset.clips, settings, seed)
    items = [EncodingItem(clip) for clip in dataset.clips]
    entries = [
        ClipEntry(
            text=clip.text,
            seconds=clip.seconds,
            role=role,
            source=clip.source,
            speaker=dataset.speaker_index(clip),
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


def _add_copies(items: list[EncodingItem], entries: list[ClipEntry], settings: AugmentationSettings, seed: int) -> None:
    """Appends the augmented copies of every training clip."""
    for index in [index for index, entry in enumerate(entries) if entry.role is Role.TRAINING]:
        clip, entry = items[index].clip, entries[index]
        copies = []
        for number in range(settings.copies):
            augmentation = _draw(settings, f"{seed}/{clip.measures.sha256}/{number}")
            copies.append(len(items))
            items.append(EncodingItem(clip, augmentation))
            entries.append(entry.model_copy(update={"seconds": entry.seconds / augmentation.speed, "role": Role.COPY}))
        entries[index] = entry.model_copy(update={"copies": tuple(copies)})


def _draw(settings: AugmentationSettings, seed: str) -> Augmentation:
    """Rounded to what its JSON holds."""
    generator = random.Random(seed)
    speed, semitones, gain = (
        round(generator.uniform(*bounds), 3) for bounds in (settings.speed, settings.semitones, settings.gain_db)
    )
    snr = round(generator.uniform(*settings.snr_db), 3) if settings.snr_db else None
    return Augmentation(speed=speed, semitones=semitones, gain_db=gain, snr_db=snr, seed=generator.getrandbits(31))
