"""The order of the clips in an epoch, as a pure function of split, draw, seed and epoch."""

import math
import random
from collections import Counter
from collections.abc import Sequence

from spaces.draw import Curriculum, Draw
from trainable.dataset.split import DatasetSplit

WINDOW_STEPS = 8
"""Clips are grouped by length within so many optimizer steps: enough to find clips of similar length, and few enough
that a long epoch is still shuffled."""
CURRICULUM_SHARE = 3
"""The first 1/3 of the epochs, and at least the first one, follow the order of a curriculum."""


def steps_per_epoch(clips: int, clips_per_step: int) -> int:
    """Optimizer steps in one epoch; the last one may hold fewer clips."""
    return math.ceil(clips / clips_per_step)


def epoch_clips(split: DatasetSplit, draw: Draw, seed: int, epoch: int) -> list[int]:
    """Indices into `split.entries`, `split.epoch_size` of them.

    The order is the same for all draws of equal batch, clips per step, curriculum and share of augmented copies. Each
    source gives its share of clips and repeats none before all have come. The clips of one forward pass have similar
    lengths, so that little is padding. Where the draw asks for augmentation, a copy replaces a part of the clips.
    """
    rng = random.Random(f"{seed}/{epoch}")
    visits = epoch_visits(split, seed, epoch)
    if draw.augmented > 0:
        visits = _with_copies(visits, split, draw.augmented, seed, epoch)
    rng.shuffle(visits)
    seconds = [entry.seconds for entry in split.entries]
    if draw.curriculum is Curriculum.NONE or epoch >= max(1, draw.epochs // CURRICULUM_SHARE):
        return _by_length(visits, seconds, draw, rng)
    if draw.curriculum is Curriculum.LENGTH:
        return sorted(visits, key=seconds.__getitem__)
    ordered: list[int] = []
    for source in sorted(split.shares()):
        own = [clip for clip in visits if split.entries[clip].source == source]
        ordered += _by_length(own, seconds, draw, rng, before=len(ordered))
    return ordered


def epoch_visits(split: DatasetSplit, seed: int, epoch: int) -> list[int]:
    """The training clips of an epoch in ascending order, each as often as it comes."""
    clips: dict[int, list[int]] = {}
    for clip in split.training:
        clips.setdefault(split.entries[clip].source, []).append(clip)
    visits: list[int] = []
    for source, share in split.shares().items():
        visits += _in_turn(clips[source], share, f"{seed}/{source}", epoch)
    return sorted(visits)


def _in_turn(clips: Sequence[int], share: int, seed: str, epoch: int) -> list[int]:
    """This epoch's part of an endless row of permutations, `share` clips per epoch."""
    first, last = epoch * share // len(clips), ((epoch + 1) * share - 1) // len(clips)
    row: list[int] = []
    for turn in range(first, last + 1):
        row += random.Random(f"{seed}/{turn}").sample(clips, len(clips))
    skipped = epoch * share - first * len(clips)
    return row[skipped : skipped + share]


def _with_copies(visits: Sequence[int], split: DatasetSplit, share: float, seed: int, epoch: int) -> list[int]:
    """Draws each visit from a seed of its own, so that a larger share adds copies and removes none."""
    chosen, seen = [], Counter[int]()
    for clip in visits:
        rng = random.Random(f"{seed}/{epoch}/{clip}/{seen[clip]}")
        seen[clip] += 1
        copies = split.entries[clip].copies
        chosen.append(rng.choice(copies) if rng.random() < share and copies else clip)
    return chosen


def _by_length(
    visits: list[int], seconds: Sequence[float], draw: Draw, rng: random.Random, before: int = 0
) -> list[int]:
    """Shuffled clips in runs of one forward pass, each of similar length.

    `before` clips of the epoch come earlier; a pass that they leave unfinished is filled first. A last pass that is not
    full takes clips of any length, because otherwise the longest clips would always come last.
    """
    if draw.batch == 1:
        return visits
    to_fill = -before % draw.batch
    ordered, window = visits[:to_fill], WINDOW_STEPS * draw.clips_per_step
    for start in range(to_fill, len(visits), window):
        part = visits[start : start + window]
        full = len(part) - len(part) % draw.batch
        by_length = sorted(part[:full], key=seconds.__getitem__)
        runs = [by_length[at : at + draw.batch] for at in range(0, full, draw.batch)]
        rng.shuffle(runs)
        ordered += [clip for run in runs for clip in run] + part[full:]
    return ordered
