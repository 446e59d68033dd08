"""From a dataset to what is prepared: every take, and the part that each plays."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from spaces.data_settings import Augment, DataSettings
from trainable.dataset.clip import Clip, VoiceDataset
from trainable.dataset.division import divide
from trainable.dataset.take import Change, Take
from trainable.roster import Entry, Role, Roster


@dataclass(frozen=True)
class Lineup:
    """What a family prepares: the takes, an entry of the roster for each, and a reference per speaker."""

    takes: tuple[Take, ...]
    roster: Roster
    references: tuple[Clip, ...]

    def fingerprint(self) -> str:
        """SHA-256 of everything that decides what prepared data holds, but the model."""
        parts = [take.key for take in self.takes] + [each.measures.sha256 for each in self.references]
        return hashlib.sha256("\n".join([*parts, self.roster.model_dump_json()]).encode()).hexdigest()


def line_up(dataset: VoiceDataset, settings: DataSettings, seed: int) -> Lineup:
    """A pure function of its arguments: two searches over the same data with one seed hold out the same clips."""
    roles = divide(dataset.clips, settings, seed)
    takes = [Take(clip) for clip in dataset.clips]
    entries = [
        Entry(
            text=clip.text,
            seconds=clip.seconds,
            role=role,
            source=clip.source,
            speaker=dataset.speaker_of(clip),
        )
        for clip, role in zip(dataset.clips, roles, strict=True)
    ]
    if settings.augment is not None:
        _add_copies(takes, entries, settings.augment, seed)
    roster = Roster(
        entries=tuple(entries),
        weights=dataset.weights,
        speakers=tuple(speaker.name for speaker in dataset.speakers),
    )
    return Lineup(tuple(takes), roster, tuple(speaker.reference for speaker in dataset.speakers))


def _add_copies(takes: list[Take], entries: list[Entry], augment: Augment, seed: int) -> None:
    """Adds the changed copies of every training clip behind all clips."""
    for place in [place for place, entry in enumerate(entries) if entry.role is Role.TRAINING]:
        original = entries[place]
        copies = []
        for number in range(augment.copies):
            change = _drawn(augment, f"{seed}/{takes[place].clip.measures.sha256}/{number}")
            copies.append(len(takes))
            takes.append(Take(takes[place].clip, change))
            shorter = {"seconds": original.seconds / change.speed, "role": Role.COPY}
            entries.append(original.model_copy(update=shorter))
        entries[place] = original.model_copy(update={"copies": tuple(copies)})


def _drawn(augment: Augment, seed: str) -> Change:
    """Rounded, so that its JSON says all of it."""
    chance = random.Random(seed)
    speed, semitones, gain = (
        round(chance.uniform(*pair), 3) for pair in (augment.speed, augment.semitones, augment.gain_db)
    )
    snr = round(chance.uniform(*augment.snr_db), 3) if augment.snr_db else None
    return Change(speed=speed, semitones=semitones, gain_db=gain, snr_db=snr, seed=chance.getrandbits(31))
