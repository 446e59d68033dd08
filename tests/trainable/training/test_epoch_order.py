"""The clips of an epoch and their order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.draw import Curriculum, Draw
from tests.support import made_runs
from trainable.dataset.split import ClipEntry, DatasetSplit, Role
from trainable.training.epoch_order import epoch_clips, steps_per_epoch

LENGTHS = (1.5, 2.0, 14.0, 3.0, 2.5, 9.0, 1.0, 4.0, 22.0, 2.0)
"""Seconds of successive clips: most are short."""


def split_of(*counts: int, weights: Sequence[float] = (), copies: int = 0) -> DatasetSplit:
    """`counts` training clips per source, one in seven of them followed by a held-out clip; copies come last."""
    entries: list[ClipEntry] = []
    for source, count in enumerate(counts):
        for clip in range(count):
            seconds = LENGTHS[clip % len(LENGTHS)]
            entries.append(ClipEntry(text=f"{source}/{clip}", seconds=seconds, source=source))
            if clip % 7 == 3:
                entries.append(
                    ClipEntry(text=f"{source}/{clip} kept out", seconds=2.0, role=Role.HELD_OUT, source=source)
                )
    for place, entry in enumerate(list(entries) if copies else ()):
        if entry.role is Role.TRAINING:
            behind = tuple(range(len(entries), len(entries) + copies))
            entries[place] = entry.model_copy(update={"copies": behind})
            entries.extend(entry.model_copy(update={"role": Role.COPY, "seconds": entry.seconds * 1.1}) for _ in behind)
    return DatasetSplit(entries=tuple(entries), weights=tuple(weights) or (1.0,) * len(counts))


def draw(batch: int = 1, accumulation: int = 2, **changes) -> Draw:
    return made_runs.draw(batch=batch, accumulation=accumulation, **changes)


def padding(seconds: Sequence[float], batch: int) -> float:
    """Share of all passes that is padding."""
    passes = [seconds[at : at + batch] for at in range(0, len(seconds), batch)]
    return 1 - sum(seconds) / sum(max(each) * len(each) for each in passes)


def seconds_of(split: DatasetSplit, clips: Sequence[int]) -> list[float]:
    return [split.entries[clip].seconds for clip in clips]


@pytest.mark.parametrize(("clips", "per_step", "steps"), [(48, 4, 12), (49, 4, 13), (3, 4, 1), (1, 1, 1)])
def test_the_last_step_of_an_epoch_may_be_short(clips: int, per_step: int, steps: int) -> None:
    assert steps_per_epoch(clips, per_step) == steps


@given(
    st.integers(1, 60),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from(Curriculum),
    st.integers(0, 1000),
    st.integers(0, 12),
)
def test_each_epoch_shows_every_training_clip_once(
    count: int, batch: int, accumulation: int, curriculum: Curriculum, seed: int, epoch: int
) -> None:
    clips, chosen = split_of(count), draw(batch, accumulation, curriculum=curriculum)
    order = epoch_clips(clips, chosen, seed, epoch)
    assert sorted(order) == list(clips.training)
    assert epoch_clips(clips, chosen, seed, epoch) == order


@given(st.integers(1, 60), st.integers(0, 1000), st.integers(0, 50))
def test_single_clips_are_shuffled_and_nothing_else(count: int, seed: int, epoch: int) -> None:
    clips = split_of(count)
    expected = list(clips.training)
    random.Random(f"{seed}/{epoch}").shuffle(expected)
    assert epoch_clips(clips, draw(), seed, epoch) == expected


@pytest.mark.parametrize("batch", [1, 4])
def test_epochs_have_orders_of_their_own(batch: int) -> None:
    assert len({tuple(epoch_clips(split_of(20), draw(batch), 0, epoch)) for epoch in range(10)}) == 10


@given(
    st.lists(st.tuples(st.integers(1, 15), st.sampled_from([0.1, 0.5, 1.0, 1.5, 2.0, 3.0])), min_size=1, max_size=3),
    st.sampled_from(Curriculum),
    st.integers(1, 4),
    st.integers(0, 100),
)
def test_sources_come_as_often_as_their_weights_say(
    sources: list[tuple[int, float]], curriculum: Curriculum, batch: int, seed: int
) -> None:
    """After any number of epochs the clips of a source have come equally often, up to one visit."""
    counts, weights = zip(*sources, strict=True)
    clips, seen = split_of(*counts, weights=weights), Counter[int]()
    for epoch in range(5):
        order = epoch_clips(clips, draw(batch, curriculum=curriculum, epochs=5), seed, epoch)
        assert len(order) == clips.epoch_size
        assert Counter(clips.entries[clip].source for clip in order) == clips.shares()
        seen.update(order)
        for source in range(len(sources)):
            times = [seen[place] for place in clips.training if clips.entries[place].source == source]
            assert max(times) - min(times) <= 1


def test_half_a_weight_shows_every_clip_in_two_epochs_and_two_show_it_twice_in_one() -> None:
    clips = split_of(10, 6, weights=(0.5, 2.0))
    first, second = (Counter(epoch_clips(clips, draw(), 3, epoch)) for epoch in (0, 1))
    halved = [place for place in clips.training if clips.entries[place].source == 0]
    doubled = [place for place in clips.training if clips.entries[place].source == 1]
    assert [first[place] + second[place] for place in halved] == [1] * 10
    assert [first[place] for place in doubled] == [second[place] for place in doubled] == [2] * 6


@given(st.integers(0, 1000), st.integers(0, 20), st.sampled_from([2, 4, 8]), st.integers(1, 4))
def test_clips_of_one_pass_are_of_similar_length(seed: int, epoch: int, batch: int, accumulation: int) -> None:
    clips = split_of(160)
    plain = padding(seconds_of(clips, epoch_clips(clips, draw(), seed, epoch)), batch)
    near = padding(seconds_of(clips, epoch_clips(clips, draw(batch, accumulation), seed, epoch)), batch)
    assert near < 0.7 * plain


def test_the_longest_pass_may_come_anywhere_in_an_epoch() -> None:
    clips = split_of(41)
    longest = max(clips.training, key=lambda place: clips.entries[place].seconds)
    assert {epoch_clips(clips, draw(4), 0, epoch).index(longest) // 4 for epoch in range(300)} == set(range(11))


def test_the_order_is_the_same_for_draws_of_equal_batch() -> None:
    ours, theirs = draw(4, 2), draw(4, 2, rank=64, lora_lr=1e-5, dropout=0.1, epochs=3)
    assert epoch_clips(split_of(50), ours, 1, 2) == epoch_clips(split_of(50), theirs, 1, 2)


@pytest.mark.parametrize(("epochs", "early"), [(1, 1), (2, 1), (3, 1), (6, 2), (10, 3)])
def test_short_clips_come_first_for_a_third_of_the_epochs(epochs: int, early: int) -> None:
    clips, chosen = split_of(50), draw(2, curriculum=Curriculum.LENGTH, epochs=epochs)
    lengths = [seconds_of(clips, epoch_clips(clips, chosen, 0, epoch)) for epoch in range(epochs)]
    assert [each == sorted(each) for each in lengths] == [epoch < early for epoch in range(epochs)]


def test_clips_of_equal_length_are_shuffled() -> None:
    chosen = draw(curriculum=Curriculum.LENGTH, epochs=9)
    assert epoch_clips(split_of(50), chosen, 0, 0) != epoch_clips(split_of(50), chosen, 0, 1)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 5), st.integers(0, 100))
def test_the_first_source_comes_first(one: int, other: int, batch: int, seed: int) -> None:
    clips = split_of(one, other)
    order = epoch_clips(clips, draw(batch, curriculum=Curriculum.SOURCE), seed, 0)
    sources = [clips.entries[clip].source for clip in order]
    assert sources == sorted(sources)


def test_clips_of_a_later_source_share_passes_by_length_too() -> None:
    clips = split_of(7, 80)
    order = epoch_clips(clips, draw(4, curriculum=Curriculum.SOURCE), 0, 0)
    later = seconds_of(clips, order[8:])
    assert padding(later, 4) < 0.5 * padding(seconds_of(clips, epoch_clips(clips, draw(), 0, 0)), 4)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_copies_replace_their_own_clip(share: float) -> None:
    clips = split_of(200, copies=3)
    original = {copy: place for place in clips.training for copy in clips.entries[place].copies}
    seen = Counter[int]()
    for epoch in range(5):
        order = epoch_clips(clips, draw(2, augmented=share), 0, epoch)
        assert sorted(original.get(clip, clip) for clip in order) == list(clips.training)
        seen.update(order)
    taken = sum(seen[copy] for copy in original)
    assert abs(taken / seen.total() - share) < (0.05 if 0 < share < 1 else 1e-9)
    by_number = [sum(seen[clips.entries[place].copies[number]] for place in clips.training) for number in range(3)]
    assert max(by_number) - min(by_number) <= 0.2 * taken


def test_a_larger_share_adds_copies_and_removes_none() -> None:
    clips = split_of(60, copies=2)
    few, many = (epoch_clips(clips, draw(augmented=share), 4, 1) for share in (0.3, 0.6))
    copies = set(clips.with_role(Role.COPY))
    assert copies & set(few) < copies & set(many)


def test_a_clip_that_comes_twice_is_replaced_once_at_a_time() -> None:
    clips = split_of(60, weights=(2.0,), copies=2)
    order = Counter(epoch_clips(clips, draw(augmented=0.5), 0, 0))
    assert {order[place] for place in clips.training} == {0, 1, 2}


def test_a_clip_without_copies_is_kept() -> None:
    assert sorted(epoch_clips(split_of(9), draw(augmented=1.0), 0, 0)) == list(split_of(9).training)
