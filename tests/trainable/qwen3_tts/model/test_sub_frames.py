"""The sub-talker's share of the frames: the right number, evenly chosen, and dependent only on the frame's own id."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from spaces.qwen3_tts import QwenDraw
from tests.support.grown_adapters import gradients, grown
from tests.support.pack_runs import SEED, make_pack, one_shape, shape_of
from tests.support.qwen_fixtures import Tiny
from tests.support.qwen_fixtures import draw as make_draw
from trainable.family.protocol import Batch, SeatState
from trainable.qwen3_tts.learner import QwenLearner
from trainable.qwen3_tts.model.frame_sampling import sample_frames, scored_frames
from trainable.qwen3_tts.model.losses import clip_losses
from trainable.qwen3_tts.model.prompt import build_layout

ROW = (5, 4, 3)


def draw(**changes) -> QwenDraw:
    return make_draw(**{"batch": 4, "accumulation": 1, "clip_norm": 1e9, **changes})


def sampled(frames: int, share: float, row: tuple[int, int, int] = ROW) -> Tensor:
    """[frames] bool of a single row."""
    found = sample_frames([frames], [row], [share])
    return torch.ones(frames, dtype=torch.bool) if found is None else found


@pytest.mark.parametrize(
    ("frames", "share", "count"),
    [(10, 0.5, 5), (9, 0.5, 5), (1, 0.01, 1), (240, 0.25, 60), (241, 0.25, 61), (100, 0.07, 7), (30, 0.1, 3)]
    + [(3, 1.0, 3), (3, 0.999, 3), (5, 1e-12, 1)],
)
def test_the_right_number_of_frames_is_chosen(frames: int, share: float, count: int) -> None:
    assert sampled(frames, share).sum() == count


def test_a_row_gets_the_same_frames_in_any_batch() -> None:
    lengths, rows, shares = (50, 7, 31), (ROW, (5, 4, 2), (6, 4, 3)), (0.3, 1.0, 0.5)
    together = sample_frames(lengths, rows, shares)
    assert together is not None
    for part, frames, row, share in zip(together.split(list(lengths)), lengths, rows, shares, strict=True):
        assert torch.equal(part, sampled(frames, share, row))


def test_a_larger_share_keeps_the_frames_of_a_smaller_one() -> None:
    assert (sampled(60, 0.5) >= sampled(60, 0.2)).all()


@pytest.mark.parametrize("other", [(6, 4, 3), (5, 5, 3), (5, 4, 2), (5, 3, 4)], ids=["seed", "step", "clip", "swapped"])
def test_another_seed_step_or_clip_gets_other_frames(other: tuple[int, int, int]) -> None:
    assert not torch.equal(sampled(60, 0.5), sampled(60, 0.5, other))


def test_before_the_first_step_every_frame_is_scored() -> None:
    assert sample_frames([9], [(5, 0, 3)], [0.2]) is None
    together = sample_frames([9, 9], [(5, 0, 3), ROW], [0.2, 0.2])
    assert together is not None and together[:9].all() and together[9:].sum() == 2


def test_the_choice_is_the_same_in_every_process() -> None:
    """A hash with a salt per process would pass the other tests, so the values are written down."""
    assert sampled(12, 0.5).int().tolist() == [0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0, 1]


def test_every_frame_and_every_pair_of_neighbours_is_equally_likely() -> None:
    """Within five standard deviations of independent steps."""
    steps, frames, share = 4000, 10, 0.3
    rows = [(5, step, 3) for step in range(1, steps + 1)]
    found = sample_frames([frames] * steps, rows, [share] * steps)
    assert found is not None
    often = found.view(steps, frames).double()
    for chance, times in ((3 / 10, often), (3 / 10 * 2 / 9, often[:, 1:] * often[:, :-1])):
        bound = 5 * math.sqrt(chance * (1 - chance) / steps)
        assert (times.mean(dim=0) - chance).abs().max() < bound


@pytest.mark.parametrize(
    ("lengths", "chosen", "parts", "scored", "counts"),
    [
        ((2, 1), None, None, [0, 1, 2], [1, 1, 1]),
        ((2, 2), (0, 1, 1, 0), None, [1, 2], [1, 1]),
        ((2, 1), None, 2, [0, 1, 2, 2], [1, 1, 1, 0]),
        ((1, 3), (1, 0, 1, 1), 2, [0, 0, 2, 3], [1, 0, 1, 1]),
        ((1, 1, 2, 1), (1, 1, 0, 1, 1), 2, [0, 1, 3, 4], [1, 1, 1, 1]),
    ],
)
def test_seats_are_padded_with_copies_that_do_not_count(
    lengths: Sequence[int], chosen: Sequence[int] | None, parts: int | None, scored: list[int], counts: list[int]
) -> None:
    mask = None if chosen is None else torch.tensor(chosen).bool()
    found, counted = scored_frames(torch.tensor(lengths), mask, parts)
    assert found.tolist() == scored and counted.int().tolist() == counts


def learner(tiny: Tiny, share: float) -> QwenLearner:
    made = QwenLearner(tiny.fresh(), tiny.data((24,), ("a line",)), "auto", None, draw(sub_frames=share), SEED)
    made.train()
    return made


@one_shape
def test_the_mean_over_many_steps_is_the_loss_over_all_frames(tiny: Tiny) -> None:
    """Within four standard errors; the losses of codebook 0 and of EOS are over all frames in each of them."""
    some, steps = learner(tiny, 0.25), 150
    with torch.no_grad():
        whole = some.losses([0], 0).parts
        parts = [some.losses([0], step).parts for step in range(1, steps + 1)]
    for name in ("sub", "sub_shifted"):
        values = torch.cat([part[name] for part in parts]).double()
        assert values.std() > 0
        assert abs(values.mean() - whole[name]) < 4 * values.std() / math.sqrt(steps)
    for part in parts:
        assert torch.equal(part["talker"], whole["talker"]) and torch.equal(part["eos"], whole["eos"])
        gap, sub_gap = part["aligned"] - whole["aligned"], part["sub"] - whole["sub"]
        torch.testing.assert_close(gap, 0.3 * sub_gap, atol=1e-5, rtol=0)


@one_shape
def test_a_loss_is_the_mean_over_the_chosen_frames(tiny: Tiny) -> None:
    """Compared with the losses of every frame alone."""
    data, talker = tiny.data(), tiny.tts.model.talker
    chosen = sampled(9, 0.5)
    clip, config = data.clips[1], tiny.tts.model.config
    with torch.no_grad():
        ours = clip_losses(talker, build_layout(config, [clip], data.role_ids, "auto", chosen), data.speakers[0])
        each = []
        for frame in range(9):
            alone = torch.arange(9) == frame
            layout = build_layout(config, [clip], data.role_ids, "auto", alone)
            each.append(clip_losses(talker, layout, data.speakers[0]))
    for name in ("sub", "sub_shifted"):
        values = torch.cat([one[name] for one in each])
        torch.testing.assert_close(ours[name][0], values[chosen].mean(), atol=1e-5, rtol=0)
        assert values.std() > 1e-3


@one_shape
def test_the_code_predictor_runs_on_the_chosen_frames_only(tiny: Tiny) -> None:
    chosen = [draw(sub_frames=0.25, targets="linear"), draw(sub_frames=0.5, targets="linear"), draw(targets="linear")]
    pack = make_pack(tiny, tiny.data(), shape_of(chosen, 4), 3)
    for seat, each in enumerate(chosen):
        pack.join(seat, each, SEED)
    frames: list[int] = []
    predictor = pack._tts.model.talker.code_predictor.model
    predictor.register_forward_pre_hook(
        lambda _module, _inputs, named: frames.append(len(named["inputs_embeds"])), with_kwargs=True
    )
    for step, seats in ((1, (0, 1)), (1, (0, 1, 2)), (0, (0, 1))):
        pack.accumulate({seat: Batch((0, 1), step, weight=0.5) for seat in seats})
    # Of 5 and 9 frames.
    assert frames == [2 + 3 + 3 + 5, 2 + 3 + 3 + 5 + 14, 14 + 14]


@one_shape
@pytest.mark.parametrize("objective", ["guide", "aligned"])
def test_sub_weight_scales_the_gradient_of_the_sub_loss_but_no_reported_loss(tiny: Tiny, objective: str) -> None:
    """The gradient is linear in the weight, and at weight 0 the code predictor has none."""
    draws = [draw(targets="all-linear", objective=objective, sub_weight=weight) for weight in (0.0, 0.3, 0.6)]
    pack = make_pack(tiny, tiny.data(), shape_of(draws, 4), 3, torch.float64)
    for seat, each in enumerate(draws):
        pack.join(seat, each, SEED)
        frozen = {name: value for name, value in pack.state(seat).weights.items() if "text_projection" in name}
        pack.load(seat, SeatState({**grown(pack.state(seat), 1), **frozen}, {}, 0))
    rows = pack.accumulate({seat: Batch((0, 1), 1, weight=0.5) for seat in range(3)})
    pack.step(dict.fromkeys(range(3), 1.0))
    for seat in (0, 2):
        torch.testing.assert_close(torch.tensor(rows[seat]), torch.tensor(rows[1]), rtol=1e-6, atol=0)
    none, usual, double = (gradients(pack.state(seat).moments) for seat in range(3))
    for name, gradient in usual.items():
        # The library's norms compute in float32 whatever the type of their input.
        assert (gradient - (none[name] + double[name]) / 2).norm() < 1e-5 * gradient.norm(), name
        if "code_predictor" in name:
            assert none[name].norm() < 1e-5 * gradient.norm(), name
        assert not torch.equal(none[name], gradient), name
