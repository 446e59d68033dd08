"""The split of a dataset: which clips are trained on, and which are held out to judge by.

`assign_roles` gives each clip its role; a `DatasetSplit` is what a search stores of all clips.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np

from spaces.data_settings import DataSettings
from spaces.errors import InputError
from spaces.frozen_model import FrozenModel
from trainable.dataset.clip import Clip
from trainable.files.atomic import write_text

CALIBRATION_CLIPS = 40
"""Ground-truth clips that the probe is calibrated on, at most."""
MIN_TEXTS = 10
"""With fewer texts none is held out: each clip is worth more in training than in a mean over one or two."""
HELD_OUT_SHARE = 0.1
MIN_HELD_OUT = 2
FILE = "roster.json"


class Role(StrEnum):
    """What a clip is used for."""

    TRAINING = "training"
    HELD_OUT = "held_out"
    """Never trained on: the validation loss is its loss, and the probe may speak its transcript."""
    SPARE = "spare"
    """Beyond a cap that the settings ask for; used only to calibrate the probe."""
    COPY = "copy"
    """An augmented copy of a training clip, which may take its place in an epoch."""


class ClipEntry(FrozenModel):
    """One prepared clip."""

    text: str
    seconds: float
    role: Role = Role.TRAINING
    source: int = 0
    """Index of its `--data` on the command line."""
    speaker: int = 0
    copies: tuple[int, ...] = ()
    """Indices of its augmented copies in the split."""


class DatasetSplit(FrozenModel):
    """Every prepared clip, by index. The same for all trials of a search."""

    entries: tuple[ClipEntry, ...]
    weights: tuple[float, ...] = (1.0,)
    """Of each source: how often an epoch passes over it. 0.5 takes half of its clips in turn, 2 each of them twice."""
    speakers: tuple[str, ...] = ("",)

    def with_role(self, role: Role) -> tuple[int, ...]:
        """Indices of all clips of that role."""
        return tuple(index for index, entry in enumerate(self.entries) if entry.role is role)

    @property
    def training(self) -> tuple[int, ...]:
        return self.with_role(Role.TRAINING)

    @property
    def held_out(self) -> tuple[int, ...]:
        return self.with_role(Role.HELD_OUT)

    @property
    def epoch_size(self) -> int:
        """Clips that one epoch passes over."""
        return sum(self.shares().values())

    def shares(self) -> dict[int, int]:
        """Clips of each source in an epoch, by source; at least one of a source that has any."""
        counts: dict[int, int] = {}
        for index in self.training:
            counts[self.entries[index].source] = counts.get(self.entries[index].source, 0) + 1
        return {source: max(1, round(count * self.weights[source])) for source, count in counts.items()}

    @property
    def probe(self) -> tuple[int, ...]:
        """Held-out clips of the first speaker, one per text: lines that no trial was trained on. Those of median length
        come first, because the first few lines screen a trial."""
        own = [index for index in self.held_out if self.entries[index].speaker == 0]
        first = {self.entries[index].text: index for index in reversed(own)}
        middle = float(np.median([len(text) for text in first])) if first else 0.0
        return tuple(sorted(first.values(), key=lambda index: abs(len(self.entries[index].text) - middle)))

    @property
    def calibration(self) -> tuple[int, ...]:
        """Clips of the first speaker that the probe is calibrated on, 40 at most: first those not trained on, then
        training clips evenly spaced. Calibration measures the recordings, so clips that were trained on do not bias it.
        """
        own = [index for index, entry in enumerate(self.entries) if entry.speaker == 0]
        unseen = [index for index in own if self.entries[index].role in (Role.HELD_OUT, Role.SPARE)]
        seen = [index for index in own if self.entries[index].role is Role.TRAINING]
        chosen = _evenly_spaced(unseen, CALIBRATION_CLIPS)
        return tuple(sorted(chosen + _evenly_spaced(seen, CALIBRATION_CLIPS - len(chosen))))

    def write(self, folder: Path) -> None:
        write_text(folder / FILE, self.model_dump_json())

    @classmethod
    def read(cls, folder: Path) -> DatasetSplit:
        """Raises FileNotFoundError where there is none."""
        return cls.model_validate_json((folder / FILE).read_text(encoding="utf-8"))


def held_out_count(texts: int) -> int:
    """How many of so many texts are held out: a tenth, at least 2, none of fewer than 10. (12 → 2, 30 → 3, 60 → 6.)"""
    return max(MIN_HELD_OUT, round(texts * HELD_OUT_SHARE)) if texts >= MIN_TEXTS else 0


def assign_roles(clips: Sequence[Clip], settings: DataSettings, seed: int) -> list[Role]:
    """A role for each clip, independent of the order of the clips. No text is both trained on and held out.

    A source that holds clips out itself (`val/`) keeps its own split. From all other sources the held-out clips are
    drawn stratified by length: the texts, sorted by length, are cut into as many bins as texts are wanted, and each bin
    gives one, chosen by a hash of seed and text.

    Raises InputError when no clip is left to train on.
    """
    groups = _group_by_text(clips)
    split_sources = {clip.source for clip in clips if clip.held_out}
    given = {text: group for text, group in groups.items() if any(clips[index].held_out for index in group)}
    free = {
        text: group
        for text, group in groups.items()
        if text not in given and not any(clips[index].source in split_sources for index in group)
    }
    roles = [Role.TRAINING] * len(clips)
    for index in (index for group in given.values() for index in group):
        roles[index] = Role.SPARE
    left = _hold_out(roles, given, given, settings.max_validation_clips, seed)
    drawn = _one_per_bin(free, min(held_out_count(len(free)), left), clips, seed)
    _hold_out(roles, free, drawn, left, seed)
    _cap_training(roles, clips, groups, settings.max_training_clips, seed)
    if Role.TRAINING not in roles:
        raise InputError(
            f"expected clips to train on, got {len(clips)} that are all held out by their sources or share their text "
            "with one that is; move some out of val/, or give another --data"
        )
    return roles


def normalise(text: str) -> str:
    """A text without case, punctuation, extra spaces and Unicode variants. Empty where it has no letter or digit."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    # A mark belongs to its letter: in Devanagari two words may differ in a vowel sign only.
    return " ".join("".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in folded).split())


def text_key(text: str) -> str:
    """Equal for transcripts that count as the same text."""
    return normalise(text) or text


def _evenly_spaced(indices: list[int], most: int) -> list[int]:
    if not indices or most <= 0:
        return []
    return [
        indices[at] for at in sorted({round(at) for at in np.linspace(0, len(indices) - 1, min(most, len(indices)))})
    ]


def _group_by_text(clips: Sequence[Clip]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for index, clip in enumerate(clips):
        groups.setdefault(text_key(clip.text), []).append(index)
    return groups


def _one_per_bin(groups: dict[str, list[int]], count: int, clips: Sequence[Clip], seed: int) -> list[str]:
    """So many of the texts, one from each bin of similar length."""
    by_length = sorted(groups, key=lambda text: (min(clips[index].seconds for index in groups[text]), text))
    edges = [round(number * len(by_length) / count) for number in range(count + 1)] if count > 0 else []
    return [
        min(by_length[first:last], key=lambda text: _hash(seed, text))
        for first, last in zip(edges, edges[1:], strict=False)
    ]


def _hold_out(roles: list[Role], groups: dict[str, list[int]], texts: Iterable[str], most: int, seed: int) -> int:
    """Holds out all clips of each text as long as they are at most `most`. Returns how many more clips could be."""
    for text in sorted(texts, key=lambda text: _hash(seed, text)):
        if len(groups[text]) <= most:
            most -= len(groups[text])
            for index in groups[text]:
                roles[index] = Role.HELD_OUT
    return most


def _cap_training(
    roles: list[Role], clips: Sequence[Clip], groups: dict[str, list[int]], most: int | None, seed: int
) -> None:
    """Leaves at most `most` clips to train on; the others become spare."""
    training = [
        (_hash(seed, text), clips[index].measures.sha256, index)
        for text, group in groups.items()
        for index in group
        if roles[index] is Role.TRAINING
    ]
    for _, _, index in sorted(training)[most:] if most is not None else ():
        roles[index] = Role.SPARE


def _hash(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}/{text}".encode()).hexdigest()
