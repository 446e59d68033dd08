"""Findings about a space and a dataset that do not suit each other."""

from collections import Counter

from spaces.draw import Curriculum
from spaces.probe_settings import AUTO
from spaces.space import Space
from trainable.dataset.checks.guide_table import MAX_CLIPS, PASSES, TOO_MANY_PASSES
from trainable.dataset.clip import VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.split import DatasetSplit
from trainable.speech.recogniser_choice.languages import find_language
from trainable.training.epoch_order import steps_per_epoch


def check_suitability(space: Space, dataset: VoiceDataset, split: DatasetSplit) -> list[Finding]:
    """Warnings, since the user chose the space; an error where a trial would never train at its learning rate."""
    return [
        *_warmup(space, split),
        *_exposure(space, split),
        *_language(space, dataset),
        *_curriculum(space, dataset),
    ]


def _warmup(space: Space, split: DatasetSplit) -> list[Finding]:
    """Compares the longest warm-up in steps with the shortest run. A share of a run is always shorter than the run."""
    longest = space.bounds("warmup")[1]
    epochs = space.bounds("epochs")[0]
    clips_per_step = space.bounds("batch")[1] * space.bounds("accumulation")[1]
    steps = steps_per_epoch(split.epoch_size, int(clips_per_step)) * int(epochs)
    if longest < steps:
        return []
    return [
        Finding(
            severity=Severity.ERROR,
            check="warmup",
            where=f"space {space.name}",
            message=f"its warm-up of {longest:g} steps is no shorter than a run of {steps} steps ({split.epoch_size} "
            f"clips × {epochs:g} epochs, {clips_per_step:g} clips per step), whose learning rate would never be "
            "reached: set warmup to a share of the run, such as 0.05",
        )
    ]


def _exposure(space: Space, split: DatasetSplit) -> list[Finding]:
    """Compares clips × epochs with the guide's table, for datasets of the sizes in that table."""
    epochs = space.bounds("epochs")[0]
    passes = epochs * split.epoch_size
    if split.epoch_size > MAX_CLIPS or passes <= TOO_MANY_PASSES:
        return []
    return [
        Finding(
            severity=Severity.WARNING,
            check="exposure",
            where=f"space {space.name}",
            message=f"each trial makes at least {passes} passes ({split.epoch_size} clips × {epochs} epochs or more); "
            f"the guide aims at {PASSES[0]} to {PASSES[1]} and saw overfitting above {TOO_MANY_PASSES}: lower "
            f"the lower bound of epochs to {max(1, PASSES[0] // split.epoch_size)}",
        )
    ]


def _language(space: Space, dataset: VoiceDataset) -> list[Finding]:
    languages = Counter(clip.language.lower() for clip in dataset.clips if clip.language)
    if not languages or space.language.lower() in languages:
        return []
    language, count = languages.most_common(1)[0]
    marked = find_language(language)
    if marked is not None and space.probe.language != AUTO and marked == find_language(space.probe.language):
        # It was said, and the model does not know it.
        return []
    return [
        Finding(
            severity=Severity.WARNING,
            check="language",
            where=f"space {space.name}",
            message=f"its language is {space.language!r}, but {count} of {len(dataset.clips)} clips are marked "
            f"{language!r}; training and inference must use the same one: say it with --language",
        )
    ]


def _curriculum(space: Space, dataset: VoiceDataset) -> list[Finding]:
    curricula = space.draw["curriculum"].boundary_values() if "curriculum" in space.draw else ()
    if Curriculum.SOURCE not in curricula or len(dataset.names) > 1:
        return []
    return [
        Finding(
            severity=Severity.WARNING,
            check="curriculum",
            where=f"space {space.name}",
            message="curriculum = source needs several --data; add the others, or remove it from the space",
        )
    ]
