"""AdamW over the rows of the flat buffers, compared with torch's own optimizer per seat."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spaces.qwen3_tts import QwenDraw
from tests.support.made_runs import draw
from trainable.qwen3_tts.packed.optimizer import FlatAdamW

LORA, PROJECTION = 37, 11
CPU = torch.device("cpu")
SETTINGS = (
    draw(lora_lr=1e-2, text_projection_lr=3e-3, weight_decay=0.1, clip_norm=0.5),
    draw(lora_lr=1e-4, text_projection_lr=0.0, weight_decay=0.3, clip_norm=2.0),
    draw(lora_lr=3e-1, text_projection_lr=1e-1, weight_decay=0.0, clip_norm=1e9),
    draw(lora_lr=5e-3, text_projection_lr=5e-3, weight_decay=1.0, clip_norm=1e-3),
    draw(lora_lr=1e-3, text_projection_lr=0.0, weight_decay=0.0, clip_norm=7.0),
)
SEATS = len(SETTINGS)


def unreduced(gradient: Tensor) -> Tensor:
    return gradient


def make_flat(dtype: torch.dtype = torch.float64, start: Tensor | None = None) -> FlatAdamW:
    """A trial in every row; start: [seats, size], their weights."""
    flat = FlatAdamW(SEATS, LORA, PROJECTION, CPU, dtype)
    for row, each in enumerate(SETTINGS):
        flat.begin(row, each)
    flat.weights.copy_(random_numbers(0, dtype) if start is None else start)
    return flat


def random_numbers(seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """[seats, size]."""
    return torch.randn(SEATS, LORA + PROJECTION, generator=torch.Generator().manual_seed(seed)).to(dtype)


class Separate:
    """One seat in plain PyTorch: two parameter groups, clip_grad_norm_, torch.optim.AdamW."""

    def __init__(self, weights: Tensor, settings: QwenDraw) -> None:
        self.lora, self.projection = (nn.Parameter(part.clone()) for part in weights.split([LORA, PROJECTION]))
        groups = [{"params": [self.lora], "lr": settings.lora_lr}]
        if settings.text_projection_lr > 0:
            groups.append({"params": [self.projection], "lr": settings.text_projection_lr})
        self.trained = [parameter for group in groups for parameter in group["params"]]
        self.rates = [group["lr"] for group in groups]
        self.clip_norm = settings.clip_norm
        self.optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)

    def step(self, gradient: Tensor, factor: float) -> float:
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.lora.grad, self.projection.grad = (part.clone() for part in gradient.split([LORA, PROJECTION]))
        norm = nn.utils.clip_grad_norm_(self.trained, self.clip_norm)
        self.optimizer.step()
        return float(norm)

    @property
    def weights(self) -> Tensor:
        return torch.cat([self.lora, self.projection]).detach()


STEPS = ((0, 1, 2, 3, 4), (0, 2), (0,), (0, 1, 3), (4,), (0, 1, 2, 3, 4), (0, 2, 4), (0, 4), (0, 2, 3))
"""Seats that step together."""
SWAPS = ((), ((0, 3),), ((1, 4), (4, 0)), (), ((2, 3),), ((0, 1), (1, 2), (2, 4)), (), ((3, 4),), ())
"""Rows that are exchanged before each step."""


def test_every_seat_steps_as_torch_would_step_it() -> None:
    flat = make_flat()
    separate = [Separate(weights, settings) for weights, settings in zip(flat.weights.clone(), SETTINGS, strict=True)]
    rows = list(range(SEATS))
    for number, (seats, swaps) in enumerate(zip(STEPS, SWAPS, strict=True)):
        for one, other in swaps:
            flat.swap(one, other)
            rows = [{one: other, other: one}.get(row, row) for row in rows]
        factors = {seat: 1 / (1 + number + seat) for seat in seats}
        gradients = random_numbers(number + 1)
        for seat in seats:
            # In two halves, because gradients are accumulated.
            for _ in range(2):
                flat.gradients[rows[seat]] += gradients[seat] / 2
        norms = flat.step({rows[seat]: factors[seat] for seat in seats}, unreduced)
        assert norms.keys() == {rows[seat] for seat in seats}
        for seat in seats:
            expected = separate[seat].step(gradients[seat], factors[seat])
            assert abs(norms[rows[seat]] - expected) < 1e-12 * expected
        assert not flat.gradients.any()
        for seat, row in enumerate(rows):
            torch.testing.assert_close(flat.weights[row], separate[seat].weights, rtol=1e-12, atol=1e-14)
    taken = [flat.progress(rows[seat]).steps for seat in range(SEATS)]
    assert taken == [sum(seat in seats for seats in STEPS) for seat in range(SEATS)]
    assert len(set(taken)) > 3


def test_a_frozen_projection_neither_moves_nor_counts_in_the_norm() -> None:
    flat = make_flat()
    before = flat.weights.clone()
    flat.gradients[1, :LORA] = 0.1
    flat.gradients[1, LORA:] = 1e6
    norm = flat.step({1: 1.0}, unreduced)[1]
    assert abs(norm - 0.1 * LORA**0.5) < 1e-12
    assert torch.equal(flat.weights[1, LORA:], before[1, LORA:])
    # Below its clipping norm LoRA's gradient is as it was.
    torch.testing.assert_close(flat.moments[0][1, :LORA], torch.full((LORA,), 0.01, dtype=torch.float64))


def test_the_gradient_is_summed_over_the_process_group_before_it_is_clipped() -> None:
    flat, twice = make_flat(), make_flat()
    gradients = random_numbers(1)
    flat.gradients += gradients
    twice.gradients += 2 * gradients
    norms = flat.step(dict.fromkeys(range(SEATS), 1.0), lambda gradient: gradient.mul_(2))
    assert norms == twice.step(dict.fromkeys(range(SEATS), 1.0), unreduced)
    assert torch.equal(flat.weights, twice.weights)


def test_a_new_trial_starts_with_an_empty_row() -> None:
    flat = make_flat()
    flat.gradients += random_numbers(1)
    flat.step(dict.fromkeys(range(SEATS), 1.0), unreduced)
    flat.gradients += random_numbers(2)
    flat.begin(2, SETTINGS[0])
    for buffer in (flat.weights, flat.gradients, *flat.moments):
        assert not buffer[2].any() and buffer[[0, 1, 3, 4]].any(dim=1).all()
    assert flat.progress(2).steps == 0


rows = st.integers(0, SEATS - 1)
swaps = st.tuples(rows, rows).map(lambda pair: ("swap", pair))
steps = st.sets(rows, min_size=1).map(lambda chosen: ("step", tuple(sorted(chosen))))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(swaps, steps), max_size=12), st.sampled_from([torch.float32, torch.float64]))
def test_a_swap_changes_no_result(events: list[tuple[str, tuple[int, ...]]], dtype: torch.dtype) -> None:
    still, moved, place = make_flat(dtype), make_flat(dtype), list(range(SEATS))
    for number, (kind, numbers) in enumerate(events):
        if kind == "swap":
            one, other = numbers
            moved.swap(one, other)
            place = [{one: other, other: one}.get(row, row) for row in place]
            continue
        gradients = random_numbers(number, dtype)
        still.gradients += gradients
        moved.gradients[place] += gradients
        expected = still.step(dict.fromkeys(numbers, 0.5), unreduced)
        norms = moved.step({place[seat]: 0.5 for seat in numbers}, unreduced)
        assert {seat: norms[place[seat]] for seat in numbers} == expected
    assert torch.equal(moved.weights[place], still.weights)
    assert torch.equal(moved.gradients[place], still.gradients)
    assert all(torch.equal(mine[place], theirs) for mine, theirs in zip(moved.moments, still.moments, strict=True))
    assert [moved.progress(place[seat]) for seat in range(SEATS)] == [still.progress(seat) for seat in range(SEATS)]
