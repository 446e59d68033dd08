"""Who takes which part in a search: the clips that are trained on, and those kept out to judge by.

Which clips are trained on, and which are kept out.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from spaces.data_settings import DataSettings
from spaces.errors import InputError
from trainable.dataset.clip import Clip
from trainable.files.atomic import write_text

CALIBRATION_CLIPS = 40
"""Ground-truth clips that the probe is calibrated on, at most."""
FILE = "roster.json"


class Role(StrEnum):
    """What a clip is for."""

    TRAINING = "training"
    HELD_OUT = "held_out"
    """Never trained on: the validation loss is its loss, and its transcript may be spoken by the probe."""
    SPARE = "spare"
    """Beyond a cap that was asked for; of use to nobody but the calibration."""
    COPY = "copy"
    """A changed copy of a training clip, which may take its place in an epoch."""


class ClipEntry(BaseModel):
    """One prepared clip."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    seconds: float
    role: Role = Role.TRAINING
    source: int = 0
    """Which `--data` it is from, in the order of the command line."""
    speaker: int = 0
    copies: tuple[int, ...] = ()
    """Places of its changed copies in the split."""


class DatasetSplit(BaseModel):
    """Every prepared clip, by its place. The same for every trial of a search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entries: tuple[ClipEntry, ...]
    weights: tuple[float, ...] = (1.0,)
    """Of each source: how often an epoch passes over it. 0.5 takes half of its clips in turn, 2 each of them twice."""
    speakers: tuple[str, ...] = ("",)

    def of(self, role: Role) -> tuple[int, ...]:
        """Places of all clips of that role."""
        return tuple(place for place, entry in enumerate(self.entries) if entry.role is role)

    @property
    def training(self) -> tuple[int, ...]:
        return self.of(Role.TRAINING)

    @property
    def held_out(self) -> tuple[int, ...]:
        return self.of(Role.HELD_OUT)

    @property
    def epoch_size(self) -> int:
        """Clips that one epoch passes over."""
        return sum(self.shares().values())

    def shares(self) -> dict[int, int]:
        """How many clips each source gives to an epoch, at least one where it has any."""
        counts: dict[int, int] = {}
        for place in self.training:
            counts[self.entries[place].source] = counts.get(self.entries[place].source, 0) + 1
        return {source: max(1, round(count * self.weights[source])) for source, count in counts.items()}

    @property
    def probe(self) -> tuple[int, ...]:
        """Held-out clips of the first speaker, one of each text: lines that no trial was trained on. Those of ordinary
        length come first, because the first few lines screen a trial."""
        own = [place for place in self.held_out if self.entries[place].speaker == 0]
        first = {self.entries[place].text: place for place in reversed(own)}
        middle = float(np.median([len(text) for text in first])) if first else 0.0
        return tuple(sorted(first.values(), key=lambda place: abs(len(self.entries[place].text) - middle)))

    @property
    def calibration(self) -> tuple[int, ...]:
        """Clips of the first speaker that the probe is calibrated on: those not trained on first, then an even
        spread of the others, 40 in all at most. What it measures is the recording, so having trained on it does not
        flatter anybody."""
        own = [place for place, entry in enumerate(self.entries) if entry.speaker == 0]
        unseen = [place for place in own if self.entries[place].role in (Role.HELD_OUT, Role.SPARE)]
        seen = [place for place in own if self.entries[place].role is Role.TRAINING]
        chosen = _spread(unseen, CALIBRATION_CLIPS)
        return tuple(sorted(chosen + _spread(seen, CALIBRATION_CLIPS - len(chosen))))

    def write(self, folder: Path) -> None:
        write_text(folder / FILE, self.model_dump_json())

    @classmethod
    def read(cls, folder: Path) -> DatasetSplit:
        """Raises FileNotFoundError where there is none."""
        return cls.model_validate_json((folder / FILE).read_text(encoding="utf-8"))


def _spread(places: list[int], most: int) -> list[int]:
    """So many of them, evenly spread."""
    if not places or most <= 0:
        return []
    return [places[at] for at in sorted({round(at) for at in np.linspace(0, len(places) - 1, min(most, len(places)))})]


LEAST_TEXTS = 10
"""With fewer nothing is held out: each clip is worth more to the voice than to a mean over one or two."""
HELD_OUT_SHARE = 0.1
LEAST_HELD_OUT = 2


def held_out_count(texts: int) -> int:
    """How many of so many texts are kept out: a tenth, at least 2, none of fewer than 10. (12 → 2, 30 → 3, 60 → 6.)"""
    return max(LEAST_HELD_OUT, round(texts * HELD_OUT_SHARE)) if texts >= LEAST_TEXTS else 0


def assign_roles(clips: Sequence[Clip], settings: DataSettings, seed: int) -> list[Role]:
    """A role for each clip, whatever the order of the others. No text is both trained on and held out.

    What a source holds out itself (`val/`) is kept out, and then nothing else of that source is. Of all others the held
    out are drawn to be as long and as short as the rest: the texts sorted by length are cut into as many runs as are
    wanted, and each run gives one, by a hash of seed and text.

    Raises InputError when that leaves nothing to train on.
    """
    groups = _by_text(clips)
    keeping = {clip.source for clip in clips if clip.held_out}
    given = {text: group for text, group in groups.items() if any(clips[place].held_out for place in group)}
    free = {
        text: group
        for text, group in groups.items()
        if text not in given and not any(clips[place].source in keeping for place in group)
    }
    roles = [Role.TRAINING] * len(clips)
    for place in (place for group in given.values() for place in group):
        roles[place] = Role.SPARE
    room = _hold_out(roles, given, given, settings.max_validation_clips, seed)
    drawn = _one_of_each_run(free, min(held_out_count(len(free)), room), clips, seed)
    _hold_out(roles, free, drawn, room, seed)
    _spare(roles, clips, groups, settings.max_training_clips, seed)
    if Role.TRAINING not in roles:
        raise InputError(
            f"expected clips to train on, got {len(clips)} that are all held out by their sources or share their text "
            "with one that is; move some out of val/, or give another --data"
        )
    return roles


def same_text(text: str) -> str:
    """What two transcripts share that differ in case, punctuation, spaces or Unicode form only."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    # A mark belongs to its letter: in Devanagari all that tells two words apart may be a vowel sign.
    return " ".join("".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in folded).split())


def _by_text(clips: Sequence[Clip]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for place, clip in enumerate(clips):
        groups.setdefault(same_text(clip.text) or clip.text, []).append(place)
    return groups


def _one_of_each_run(groups: dict[str, list[int]], count: int, clips: Sequence[Clip], seed: int) -> list[str]:
    """So many of the texts, as different in length as they are."""
    by_length = sorted(groups, key=lambda text: (min(clips[place].seconds for place in groups[text]), text))
    edges = [round(run * len(by_length) / count) for run in range(count + 1)] if count > 0 else []
    return [
        min(by_length[first:last], key=lambda text: _chance(seed, text))
        for first, last in zip(edges, edges[1:], strict=False)
    ]


def _hold_out(roles: list[Role], groups: dict[str, list[int]], texts: Iterable[str], room: int, seed: int) -> int:
    """Holds out all clips of each text that still fits. Returns how many more clips would."""
    for text in sorted(texts, key=lambda text: _chance(seed, text)):
        if len(groups[text]) <= room:
            room -= len(groups[text])
            for place in groups[text]:
                roles[place] = Role.HELD_OUT
    return room


def _spare(roles: list[Role], clips: Sequence[Clip], groups: dict[str, list[int]], most: int | None, seed: int) -> None:
    """Leaves so many clips to train on."""
    trained = [
        (_chance(seed, text), clips[place].measures.sha256, place)
        for text, group in groups.items()
        for place in group
        if roles[place] is Role.TRAINING
    ]
    for _, _, place in sorted(trained)[most:] if most is not None else ():
        roles[place] = Role.SPARE


def _chance(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}/{text}".encode()).hexdigest()
