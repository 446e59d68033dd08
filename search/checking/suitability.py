"""Whether a space suits a dataset: what is not wrong with either, but with the two together."""

from __future__ import annotations

from collections import Counter

from spaces.draw import Curriculum
from spaces.space import Space
from trainable.dataset.checks.guide_table import MAX_CLIPS, PASSES, TOO_MANY_PASSES
from trainable.dataset.clip import VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.split import DatasetSplit


def check_suitability(space: Space, dataset: VoiceDataset, split: DatasetSplit) -> list[Finding]:
    """Warnings alone: a space is what somebody asked for."""
    return [*_exposure(space, split), *_language(space, dataset), *_curriculum(space, dataset)]


def _exposure(space: Space, split: DatasetSplit) -> list[Finding]:
    """Of a dataset that the guide speaks of, in passes: clips × epochs."""
    epochs = space.bounds("epochs")[0]
    fewest = epochs * split.epoch_size
    if split.epoch_size > MAX_CLIPS or fewest <= TOO_MANY_PASSES:
        return []
    return [
        Finding(
            severity=Severity.WARNING,
            check="exposure",
            where=f"space {space.name}",
            message=f"every trial may pass over {fewest} clips or more ({split.epoch_size} clips × at least {epochs} "
            f"epochs); the guide aims at {PASSES[0]} to {PASSES[1]} and saw overfitting above {TOO_MANY_PASSES}: "
            f"lower the lower end of epochs to {max(1, PASSES[0] // split.epoch_size)}",
        )
    ]


def _language(space: Space, dataset: VoiceDataset) -> list[Finding]:
    said = Counter(clip.language.lower() for clip in dataset.clips if clip.language)
    if not said or space.language.lower() in said:
        return []
    language, count = said.most_common(1)[0]
    return [
        Finding(
            severity=Severity.WARNING,
            check="language",
            where=f"space {space.name}",
            message=f"it trains with language {space.language!r}, but {count} of {len(dataset.clips)} clips say "
            f"{language!r}; training and inference must use the same: set language in the space if the model knows it",
        )
    ]


def _curriculum(space: Space, dataset: VoiceDataset) -> list[Finding]:
    wanted = space.draw["curriculum"].boundary_values() if "curriculum" in space.draw else ()
    if Curriculum.SOURCE not in wanted or len(dataset.names) > 1:
        return []
    return [
        Finding(
            severity=Severity.WARNING,
            check="curriculum",
            where=f"space {space.name}",
            message="curriculum = source changes nothing with a single --data; add the others, or take it out",
        )
    ]
