"""One forward and backward pass of a pack, each seat compared with a separate PEFT model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor

from spaces.errors import InputError
from spaces.qwen3_tts import QwenDraw, QwenPackShape
from tests.support.grown_adapters import gradients, grown
from tests.support.pack_runs import one_shape
from tests.support.peft_family import separate
from tests.support.qwen_fixtures import Tiny
from tests.support.qwen_fixtures import draw as make_draw
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Batch, SeatState
from trainable.qwen3_tts.packed.pack import QwenPack

SEED = 5
UNCLIPPED = 1e9

EPSILON = torch.finfo(torch.float32).eps
TOLERANCES = {torch.float32: (64 * EPSILON, 256 * EPSILON, 256 * EPSILON), torch.float64: (1e-12, 1e-12, 1e-12)}
"""Relative to a seat's whole gradient, to each weight's, and to the norm. float64 shows that the arithmetic is equal,
float32 that no step of it rounds more coarsely. There one weight's gradient may be a small difference of large numbers,
torch's norm of many numbers is coarse, and processors sum in different orders."""
FRAMES = (5, 9, 3, 7, 14, 1)
TEXTS = ("hi", "a line", "b", "more of it", "rather a long line of text for so few frames", "of one frame")


def draw(**changes) -> QwenDraw:
    return make_draw(**{"batch": 4, "accumulation": 1, "clip_norm": UNCLIPPED, **changes})


EVERYTHING = (
    (draw(rank=2, alpha_ratio=4, targets="guide", dropout=0.1, text_projection_lr=1e-4), (0, 1, 4)),
    (draw(rank=64, alpha_ratio=0.5, targets="all-linear", dropout=0.3, objective="aligned"), (4, 3)),
    (draw(rank=4, alpha_ratio=1, targets="attention", text_projection_lr=1e-3, objective="aligned"), (5,)),
    (draw(rank=16, alpha_ratio=2, targets="linear"), (2, 0, 1, 5)),
    (draw(rank=8, alpha_ratio=1.5, targets="all-linear", dropout=0.9, text_projection_lr=1e-5), (1, 2)),
)
TALKER_ONLY = (
    (draw(rank=2, targets="attention", alpha_ratio=0.5, dropout=0.3), (3, 0)),
    (draw(rank=16, targets="linear", objective="aligned"), (1, 2, 5, 0)),
)
PREDICTOR_ONLY = ((draw(rank=4, targets=r"code_predictor\..*\.up_proj", dropout=0.5), (1, 2, 0)),)
SHARES_AND_WEIGHTS = (
    (draw(rank=2, targets="guide", dropout=0.1, text_projection_lr=1e-4, sub_frames=0.25), (0, 1, 4)),
    (draw(rank=8, targets="all-linear", dropout=0.3, objective="aligned", sub_frames=0.6, sub_weight=1.0), (4, 3)),
    (draw(rank=4, targets="attention", sub_weight=0.0), (5, 0)),
    (draw(rank=16, targets="linear", objective="aligned", sub_frames=0.01, text_projection_lr=1e-3), (2, 0, 1, 5)),
    (draw(rank=8, targets="all-linear", dropout=0.5, sub_weight=2.0), (1,)),
)
NO_DROPOUT = tuple((chosen.model_copy(update={"dropout": 0.0}), clips) for chosen, clips in EVERYTHING)
CASES = {
    "everything": (EVERYTHING, True),
    "talker only": (TALKER_ONLY, True),
    "code predictor only": (PREDICTOR_ONLY, True),
    "shares and weights": (SHARES_AND_WEIGHTS, True),
    "no dropout, initial weights": (NO_DROPOUT, False),
}
"""Draws with the clips of their step, and whether their weights are moved away from the initial ones."""


def make_pack(tiny: Tiny, draws: Sequence[QwenDraw], seats: int, dtype: torch.dtype = torch.float32) -> QwenPack:
    """A pack that fits all these draws. Their seats are 1, 2 …, so that the first rows are empty or another seat's."""
    shape = QwenPackShape(
        rank=max(draw.rank for draw in draws),
        targets=tuple(sorted({draw.target_pattern for draw in draws})),
        text_projection=any(draw.text_projection_lr for draw in draws),
        batch=max(draw.batch for draw in draws),
    )
    tts = tiny.fresh()
    tts.model.to(dtype)
    return QwenPack(tts, tiny.data(FRAMES, TEXTS), "auto", shape, seats, ProcessGroup())


def seat_all(pack: QwenPack, draws: Sequence[QwenDraw], grow: bool) -> dict[int, SeatState]:
    """Seats all draws, the last one first, with initial or moved weights."""
    seats = dict(enumerate(draws, start=1))
    for seat, chosen in reversed(seats.items()):
        pack.join(seat, chosen, SEED)
        if grow:
            frozen = {} if chosen.text_projection_lr else text_projection(pack.state(seat))
            pack.load(seat, SeatState({**grown(pack.state(seat), seat), **frozen}, {}, 0))
    return {seat: pack.state(seat) for seat in seats}


def text_projection(state: SeatState) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.weights.items() if "text_projection" in name}


@pytest.mark.parametrize(
    ("tiny", "dtype"), [("1.7b", torch.float64), ("0.6b", torch.float32)], indirect=["tiny"], ids=["fp64", "fp32"]
)
@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_those_of_separate_models(tiny: Tiny, case: str, dtype: torch.dtype) -> None:
    seating, grow = CASES[case]
    draws = [chosen for chosen, _ in seating]
    pack = make_pack(tiny, draws, len(draws) + 2, dtype)
    starts = seat_all(pack, draws, grow)
    batches = {
        seat: Batch(clips, step=1, weight=1 / len(clips)) for seat, (_, clips) in zip(starts, seating, strict=True)
    }
    rows = pack.accumulate(batches)
    norms = pack.step(dict.fromkeys(starts, 1.0))
    of_all, of_each, of_norm = TOLERANCES[dtype]
    for (seat, start), chosen in zip(starts.items(), draws, strict=True):
        other = separate(tiny, tiny.data(FRAMES, TEXTS), chosen, SEED, start.weights, dtype)
        other.join(0, chosen, SEED)
        own_rows, own_norm = other.accumulate({0: batches[seat]})[0], other.step({0: 1.0})[0]
        torch.testing.assert_close(torch.tensor(rows[seat]), torch.tensor(own_rows), rtol=16 * EPSILON, atol=0)
        assert abs(norms[seat] - own_norm) <= of_norm * own_norm
        ours, theirs = gradients(pack.state(seat).moments), gradients(other.state(0).moments)
        assert ours.keys() == theirs.keys()
        missed = {name: ours[name] - expected for name, expected in theirs.items()}
        assert norm(missed) <= of_all * norm(theirs)
        for name, expected in theirs.items():
            assert expected.any() == (grow or "lora_A" not in name), name
            assert missed[name].norm() <= of_each * expected.norm(), name


def norm(tensors: Mapping[str, Tensor]) -> float:
    """Of all of them as one vector."""
    return float(torch.cat([tensor.flatten() for tensor in tensors.values()]).double().norm())


def test_padded_ranks_and_untargeted_modules_stay_zero(tiny: Tiny) -> None:
    """The nonzero numbers of a seat's row are exactly those of its adapter."""
    draws = [chosen for chosen, _ in EVERYTHING]
    pack = make_pack(tiny, draws, len(draws) + 1)
    seats = seat_all(pack, draws, True)
    for step in range(1, 4):
        pack.accumulate({seat: Batch((step, 0), step, weight=0.5) for seat in seats})
        pack.step(dict.fromkeys(seats, 1.0))
    # A state leaves the padding out, so the buffers themselves are compared.
    buffers = (pack._packed.flat.weights, *pack._packed.flat.moments)
    for seat, chosen in zip(seats, draws, strict=True):
        state = pack.state(seat)
        kinds = [
            state.weights.values(),
            [tensor for name, tensor in state.moments.items() if name.endswith("exp_avg")],
            [tensor for name, tensor in state.moments.items() if name.endswith("exp_avg_sq")],
        ]
        for buffer, tensors in zip(buffers, kinds, strict=True):
            row = buffer[pack._rows[seat]]
            own = torch.cat([tensor.flatten() for tensor in tensors])
            assert row.numel() > own.numel() > 0 or chosen.rank == 64
            assert torch.equal(row[row != 0].sort().values, own[own != 0].sort().values)


@one_shape
def test_initial_weights_are_the_same_in_any_seat_of_any_pack(tiny: Tiny) -> None:
    chosen, larger = draw(rank=4, targets="linear"), draw(rank=16, targets="all-linear", text_projection_lr=1e-3)
    lone, busy = make_pack(tiny, [chosen], 1), make_pack(tiny, [chosen, larger], 3)
    lone.join(0, chosen, SEED)
    for seat, joining in enumerate((larger, larger, chosen)):
        busy.join(seat, joining, SEED)
    start = lone.state(0)
    assert start.weights.keys() == busy.state(2).weights.keys() and not start.moments and start.step == 0
    for name, tensor in busy.state(2).weights.items():
        assert torch.equal(tensor, start.weights[name]), name
        if "lora_A" in name:
            bound = tensor.shape[1] ** -0.5
            assert torch.equal(tensor, busy.state(0).weights[name][:4])
            assert 0.9 * bound < tensor.abs().max() <= bound
        elif "lora_B" in name:
            assert not tensor.any()
    again = make_pack(tiny, [chosen], 1)
    again.join(0, chosen, SEED + 1)
    assert not any(
        torch.equal(a, start.weights[name]) for name, a in again.state(0).weights.items() if "lora_A" in name
    )


@one_shape
def test_a_seat_without_clips_gets_no_gradient(tiny: Tiny) -> None:
    """A process of a group whose clips are used up before the others'."""
    chosen = draw(dropout=0.1)
    pack = make_pack(tiny, [chosen], 2)
    for seat in range(2):
        pack.join(seat, chosen, SEED)
    rows = pack.accumulate({0: Batch((), 1, weight=0.5), 1: Batch((0, 1), 1, weight=0.5)})
    assert rows[0] == [] and len(rows[1]) == 2
    norms = pack.step({0: 1.0, 1: 1.0})
    assert norms[0] == 0 and norms[1] > 0
    assert pack.accumulate({0: Batch((), 2, weight=0.5)}) == {0: []}


@one_shape
@pytest.mark.parametrize(
    ("seat", "changes", "message"),
    [
        (0, {}, "free seat"),
        (2, {}, "free seat"),
        (1, {"rank": 9}, "rank 9"),
        (1, {"text_projection_lr": 1e-6}, "text_projection_lr"),
        (1, {"targets": r".*\.up_proj"}, "targets"),
    ],
)
def test_a_draw_that_does_not_fit_is_refused_and_the_seat_stays_free(
    tiny: Tiny, seat: int, changes: dict, message: str
) -> None:
    chosen = draw(rank=8)
    pack = make_pack(tiny, [chosen], 2)
    pack.join(0, chosen, SEED)
    with pytest.raises(InputError, match=message):
        pack.join(seat, draw(**{"rank": 8, **changes}), SEED)
    pack.join(1, chosen, SEED)
