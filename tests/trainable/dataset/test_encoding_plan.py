"""The plan of what is encoded: clips, augmented copies, split and references."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spaces.data_settings import AugmentationSettings, DataSettings
from tests.support.measured_clips import numbered_clips, text_clip
from trainable.dataset.clip import Clip, Speaker, VoiceDataset
from trainable.dataset.encoding_plan import EncodingPlan, plan_encoding
from trainable.dataset.split import Role, assign_roles

PLAIN = DataSettings()


def dataset(own: list[Clip], weights: tuple[float, ...] = (1.0,)) -> VoiceDataset:
    speakers = {(each.source, each.speaker): None for each in own}
    return VoiceDataset(
        names=tuple(f"source {number}" for number in range(len(weights))),
        weights=weights,
        clips=tuple(own),
        speakers=tuple(Speaker(name, source, text_clip(f"reference {source} {name}")) for source, name in speakers),
    )


def augmented(seed: int = 0, **changes) -> EncodingPlan:
    return plan_encoding(dataset(numbered_clips(20)), DataSettings(augment=AugmentationSettings(**changes)), seed)


def test_a_plan_has_every_clip_in_order() -> None:
    own = [
        *numbered_clips(12),
        *[text_clip(f"other {number}", source=1, speaker="b") for number in range(3)],
        text_clip("c", source=1),
    ]
    plan = plan_encoding(dataset(own, weights=(1.0, 0.5)), PLAIN, 0)
    assert [item.clip for item in plan.items] == own and not any(item.augmentation for item in plan.items)
    entries = plan.split.entries
    assert [(entry.text, entry.seconds, entry.source) for entry in entries] == [
        (each.text, each.seconds, each.source) for each in own
    ]
    assert [entry.role for entry in entries] == assign_roles(own, PLAIN, 0)
    assert [entry.speaker for entry in entries] == [0] * 12 + [1] * 3 + [2]
    assert plan.split.weights == (1.0, 0.5) and plan.split.speakers == ("", "b", "")
    assert [each.text for each in plan.references] == ["reference 0 ", "reference 1 b", "reference 1 "]


def test_only_training_clips_have_copies_and_these_come_last() -> None:
    plan = augmented(copies=3)
    split = plan.split
    assert len(plan.items) == len(split.entries) == 20 + 18 * 3
    for index in range(20):
        entry = split.entries[index]
        assert len(entry.copies) == (3 if entry.role is Role.TRAINING else 0)
        for copy in entry.copies:
            assert split.entries[copy].role is Role.COPY and copy >= 20
            assert plan.items[copy].clip == plan.items[index].clip
            assert split.entries[copy].text == entry.text
            assert split.entries[copy].seconds == pytest.approx(entry.seconds / plan.items[copy].augmentation.speed)
    assert len({item.key for item in plan.items}) == len(plan.items)


def test_augmentations_are_within_the_settings() -> None:
    asked = {"speed": (0.9, 1.1), "semitones": (-2.0, 1.0), "gain_db": (-3.0, 0.0), "snr_db": (30.0, 40.0)}
    changes = [item.augmentation for item in augmented(**asked).items if item.augmentation]
    for name, (low, high) in asked.items():
        values = [getattr(change, name) for change in changes]
        assert low <= min(values) < max(values) <= high
    assert all(item.augmentation.snr_db is None for item in augmented().items if item.augmentation)


def test_augmentations_depend_on_seed_and_recording_only() -> None:
    shorter = plan_encoding(
        dataset(numbered_clips(20)[10:] + numbered_clips(20)[:9]), DataSettings(augment=AugmentationSettings()), 0
    )
    keys = {item.key for item in augmented().items}
    same = [item.key in keys for item in shorter.items if item.augmentation]
    assert same.count(True) >= 25, "expected the same copies of clips that are trained on in both"
    assert not {item.key for item in augmented(seed=1).items if item.augmentation} & keys


@pytest.mark.parametrize("what", ["text", "audio", "weight", "reference", "role", "seed of copies"])
def test_different_plans_have_different_fingerprints(what: str) -> None:
    own, settings = numbered_clips(20), DataSettings(augment=AugmentationSettings())
    base = dataset(own)
    other = {
        "text": (dataset([replace(own[0], text="else"), *own[1:]]), settings, 0),
        "audio": (dataset([text_clip("line 0", 1.0, "again"), *own[1:]]), settings, 0),
        "weight": (dataset(own, (0.5,)), settings, 0),
        "reference": (replace(base, speakers=(Speaker("", 0, text_clip("another")),)), settings, 0),
        "role": (base, settings.model_copy(update={"max_training_clips": 10}), 0),
        "seed of copies": (base, settings, 1),
    }[what]
    assert plan_encoding(base, settings, 0).fingerprint() == plan_encoding(base, settings, 0).fingerprint()
    assert plan_encoding(base, settings, 0).fingerprint() != plan_encoding(*other).fingerprint()
