"""Losses of a pack's seats in evaluation mode."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from spaces.qwen3_tts import QwenDraw
from tests.support.grown_adapters import grown
from tests.support.pack_runs import SEED, draw, make_pack, one_shape, shape_of
from tests.support.peft_family import separate
from tests.support.qwen_fixtures import Tiny
from trainable.family.protocol import Batch, SeatState
from trainable.qwen3_tts.packed.pack import QwenPack

DRAWS = (
    draw(rank=4, targets="all-linear", dropout=0.5, sub_frames=0.2, text_projection_lr=1e-3),
    draw(rank=8, targets="guide", objective="aligned", dropout=0.3, sub_weight=1.0),
    draw(rank=2, targets="linear", sub_frames=0.5),
)
CLIPS = (3, 1)


def seated(tiny: Tiny, draws: Sequence[QwenDraw] = DRAWS, dtype: torch.dtype = torch.float32) -> QwenPack:
    """A pack whose seats 1, 2 … have adapters far from their initial weights."""
    pack = make_pack(tiny, tiny.data(speakers=(0, 1, 0, 1)), shape_of(DRAWS, 2), len(draws) + 1, dtype)
    for seat, each in enumerate(draws, start=1):
        pack.join(seat, each, SEED)
        start = pack.state(seat)
        frozen = {name: value for name, value in start.weights.items() if "text_projection" in name}
        pack.load(seat, SeatState({**grown(start, seat), **({} if each.text_projection_lr else frozen)}, {}, 0))
    return pack


def test_each_seat_equals_its_adapter_by_peft(tiny: Tiny) -> None:
    pack = seated(tiny, dtype=torch.float64)
    rows = pack.validate([1, 2, 3], CLIPS)
    assert rows.keys() == {1, 2, 3}
    for seat, each in enumerate(DRAWS, start=1):
        data = tiny.data(speakers=(0, 1, 0, 1))
        other = separate(tiny, data, each, SEED, pack.state(seat).weights, torch.float64)
        own = torch.tensor(other.validate([0], CLIPS)[0])
        torch.testing.assert_close(torch.tensor(rows[seat]), own, rtol=1e-6, atol=0)
        in_training = torch.tensor(pack.losses({seat: Batch(CLIPS, step=1)})[seat])
        assert (in_training - own).abs().max() > 1e-3


def test_dropout_and_a_share_of_the_frames_change_nothing(tiny: Tiny) -> None:
    plain = tuple(each.model_copy(update={"dropout": 0.0, "sub_frames": 1.0}) for each in DRAWS)
    assert seated(tiny).validate([1, 2, 3], CLIPS) == seated(tiny, plain).validate([1, 2, 3], CLIPS)


@one_shape
def test_validation_does_not_change_training(tiny: Tiny) -> None:
    """Bit for bit, even between the passes of one step."""
    left = []
    for validates in (False, True):
        pack = seated(tiny)
        told = []
        for step in (1, 2):
            for clip in (0, 1):
                told.append(pack.accumulate({seat: Batch([clip], step, weight=0.5) for seat in (1, 2, 3)}))
                if validates:
                    pack.validate([1, 2, 3], CLIPS)
            told.append(pack.step(dict.fromkeys((1, 2, 3), 1.0)))
        left.append((told, [pack.state(seat) for seat in (1, 2, 3)]))
    assert left[0][0] == left[1][0]
    for quiet, validated in zip(left[0][1], left[1][1], strict=True):
        assert all(torch.equal(validated.weights[name], value) for name, value in quiet.weights.items())
        assert all(torch.equal(validated.moments[name], value) for name, value in quiet.moments.items())


@one_shape
def test_some_of_the_seats_say_what_all_of_them_say(tiny: Tiny) -> None:
    pack = seated(tiny, dtype=torch.float64)
    together = pack.validate([1, 2, 3], CLIPS)
    for seats in ([3], [2, 1]):
        for seat, rows in pack.validate(seats, CLIPS).items():
            torch.testing.assert_close(torch.tensor(rows), torch.tensor(together[seat]), rtol=1e-6, atol=0)
