"""The order in which an epoch passes over the clips, as a pure function of split, draw, seed and epoch."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence

from spaces.draw import Curriculum, Draw
from trainable.dataset.split import DatasetSplit

WINDOW_STEPS = 8
"""Clips are brought together by length within so many optimizer steps: enough to find neighbours that fit, and few
enough that a long epoch is still shuffled."""
CURRICULUM_SHARE = 3
"""One epoch in so many keeps the order of a curriculum: the first ones, and at least the first."""


def steps_per_epoch(clips: int, clips_per_step: int) -> int:
    """Optimizer steps in one epoch; the last one may hold fewer clips."""
    return math.ceil(clips / clips_per_step)


def epoch_clips(split: DatasetSplit, draw: Draw, seed: int, epoch: int) -> list[int]:
    """Places in the split, `split.epoch_size` of them; the same for every draw of equal batch, clips per step,
    curriculum and share of copies.

    Each source gives its share, in turns that pass over all its clips before any comes again. With more than one clip
    in a forward pass, those of one pass are about equally long, so that little of it is padding. Where the draw takes
    changed copies, a clip's copy comes in its place.
    """
    chance = random.Random(f"{seed}/{epoch}")
    visits = _visits(split, seed, epoch)
    if draw.augmented > 0:
        visits = _with_copies(visits, split, draw.augmented, seed, epoch)
    chance.shuffle(visits)
    seconds = [entry.seconds for entry in split.entries]
    if draw.curriculum is Curriculum.NONE or epoch >= max(1, draw.epochs // CURRICULUM_SHARE):
        return _by_length(visits, seconds, draw, chance)
    if draw.curriculum is Curriculum.LENGTH:
        return sorted(visits, key=seconds.__getitem__)
    ordered: list[int] = []
    for source in sorted(split.shares()):
        own = [place for place in visits if split.entries[place].source == source]
        ordered += _by_length(own, seconds, draw, chance, before=len(ordered))
    return ordered


def _visits(split: DatasetSplit, seed: int, epoch: int) -> list[int]:
    """The training clips of an epoch in ascending order, a clip as often as it comes."""
    clips: dict[int, list[int]] = {}
    for place in split.training:
        clips.setdefault(split.entries[place].source, []).append(place)
    visits: list[int] = []
    for source, share in split.shares().items():
        visits += _in_turn(clips[source], share, f"{seed}/{source}", epoch)
    return sorted(visits)


def _in_turn(clips: Sequence[int], share: int, seed: str, epoch: int) -> list[int]:
    """What is due in this epoch of an endless row of permutations, `share` clips to an epoch."""
    first, last = epoch * share // len(clips), ((epoch + 1) * share - 1) // len(clips)
    row: list[int] = []
    for turn in range(first, last + 1):
        row += random.Random(f"{seed}/{turn}").sample(clips, len(clips))
    skipped = epoch * share - first * len(clips)
    return row[skipped : skipped + share]


def _with_copies(visits: Sequence[int], split: DatasetSplit, share: float, seed: int, epoch: int) -> list[int]:
    """Each visit decides for itself, whatever the others do: a larger share adds copies and takes none away."""
    chosen, seen = [], Counter[int]()
    for place in visits:
        chance = random.Random(f"{seed}/{epoch}/{place}/{seen[place]}")
        seen[place] += 1
        copies = split.entries[place].copies
        chosen.append(chance.choice(copies) if chance.random() < share and copies else place)
    return chosen


def _by_length(
    visits: list[int], seconds: Sequence[float], draw: Draw, chance: random.Random, before: int = 0
) -> list[int]:
    """Shuffled clips in runs of one forward pass, each of similar length.

    `before` is how many clips of the epoch come earlier: a pass that they leave unfinished is filled up first. A last
    pass that is not full takes clips of any length, else it would always be the longest that come last.
    """
    if draw.batch == 1:
        return visits
    filling = -before % draw.batch
    ordered, window = visits[:filling], WINDOW_STEPS * draw.clips_per_step
    for start in range(filling, len(visits), window):
        part = visits[start : start + window]
        full = len(part) - len(part) % draw.batch
        near = sorted(part[:full], key=seconds.__getitem__)
        runs = [near[at : at + draw.batch] for at in range(0, full, draw.batch)]
        chance.shuffle(runs)
        ordered += [place for run in runs for place in run] + part[full:]
    return ordered
